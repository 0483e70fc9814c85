"""Where moto differs from AWS, and the sandbox does not: each gap through the API, as an SDK sees it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.eks.cloud import Cloud, cloud

TAGS = [{"Key": "project", "Value": "shop"}, {"Key": "empty", "Value": ""}]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The sandbox's AWS, in a process of its own."""
    with cloud(tmp_path_factory.mktemp("aws")) as served:
        yield served


def by_key(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(tags, key=lambda each: each["Key"])


@pytest.mark.parametrize("tags", [TAGS, TAGS[:1]], ids=["two", "one"])
def test_a_bucket_has_the_tags_that_it_is_made_with(aws: Cloud, tags: list[dict[str, str]]) -> None:
    s3, name = aws.client("s3"), f"tagged-{len(tags)}"

    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"Tags": tags})

    assert by_key(s3.get_bucket_tagging(Bucket=name)["TagSet"]) == by_key(tags)


def test_a_bucket_that_is_made_again_keeps_its_tags(aws: Cloud) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="again", CreateBucketConfiguration={"Tags": TAGS[:1]})

    s3.create_bucket(Bucket="again", CreateBucketConfiguration={"Tags": TAGS[1:]})

    assert s3.get_bucket_tagging(Bucket="again")["TagSet"] == TAGS[:1]


@pytest.mark.parametrize("more", [{}, {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}])
def test_a_bucket_made_without_tags_has_none(aws: Cloud, more: dict[str, Any]) -> None:
    s3, name = aws.client("s3"), f"plain-{len(more)}"
    s3.create_bucket(Bucket=name, **more)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=name)


@pytest.mark.parametrize("launched", [[], [{"ResourceType": "instance", "Tags": TAGS[:1]}]], ids=["alone", "instance"])
def test_the_tags_of_a_launch_template_are_not_those_of_what_it_launches(
    aws: Cloud, launched: list[dict[str, Any]]
) -> None:
    ec2, name = aws.client("ec2"), f"nodes-{len(launched)}"

    made = ec2.create_launch_template(
        LaunchTemplateName=name,
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": TAGS}],
        LaunchTemplateData={"InstanceType": "t3.medium"} | ({"TagSpecifications": launched} if launched else {}),
    )["LaunchTemplate"]

    [found] = ec2.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"]
    [version] = ec2.describe_launch_template_versions(LaunchTemplateId=made["LaunchTemplateId"])[
        "LaunchTemplateVersions"
    ]
    assert by_key(made["Tags"]) == by_key(found["Tags"]) == by_key(TAGS)
    assert version["LaunchTemplateData"].get("TagSpecifications", []) == launched


def cluster(aws: Cloud, name: str, **more: Any) -> dict[str, Any]:
    ec2 = aws.client("ec2")
    subnets = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    made: dict[str, Any] = aws.client("eks").create_cluster(
        name=name,
        roleArn="arn:aws:iam::123456789012:role/cluster",
        resourcesVpcConfig={"subnetIds": [each["SubnetId"] for each in subnets[:2]]},
        **more,
    )["cluster"]
    return made


OFF = {
    "nothing said": {"computeConfig": {}, "storageConfig": {}},
    "switched off": {
        "computeConfig": {"enabled": False, "nodePools": []},
        "storageConfig": {"blockStorage": {"enabled": False}},
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": False}},
    },
}


@pytest.mark.parametrize("config", OFF.values(), ids=OFF)
def test_a_cluster_is_made_with_auto_mode_off(aws: Cloud, config: dict[str, Any]) -> None:
    assert cluster(aws, "off", **config)["status"] == "ACTIVE"
    aws.client("eks").delete_cluster(name="off")


@pytest.mark.parametrize(
    "config",
    [
        {"computeConfig": {"enabled": True}},
        {"computeConfig": {"enabled": False, "nodePools": ["system"]}},
        {"storageConfig": {"blockStorage": {"enabled": True}}},
        {"kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}}},
    ],
    ids=lambda config: str(config),
)
def test_a_cluster_in_auto_mode_is_refused(aws: Cloud, config: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cluster(aws, "automatic", **config)
    assert "automatic" not in aws.client("eks").list_clusters()["clusters"]
