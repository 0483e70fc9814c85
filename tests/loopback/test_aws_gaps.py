"""Differences between moto and AWS that the sandbox removes, each tested through the API with an SDK."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.eks.cloud import Cloud, cloud

TAGS = [{"Key": "project", "Value": "shop"}, {"Key": "empty", "Value": ""}]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Run the sandbox's AWS in its own process."""
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


def test_a_launch_template_that_is_gone_is_not_found_by_its_id(aws: Cloud) -> None:
    ec2 = aws.client("ec2")
    made = ec2.create_launch_template(LaunchTemplateName="once", LaunchTemplateData={})["LaunchTemplate"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])

    with pytest.raises(ClientError, match=r"InvalidLaunchTemplateId\.NotFound"):
        ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplateId"])


def test_the_interface_of_a_nat_gateway_goes_with_it(aws: Cloud) -> None:
    ec2 = aws.client("ec2")
    [subnet, *_] = ec2.describe_subnets()["Subnets"]
    before = ec2.describe_network_interfaces()["NetworkInterfaces"]
    made = ec2.create_nat_gateway(SubnetId=subnet["SubnetId"], ConnectivityType="private")["NatGateway"]
    assert ec2.describe_network_interfaces()["NetworkInterfaces"] != before

    ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])

    assert ec2.describe_network_interfaces()["NetworkInterfaces"] == before


def test_a_nat_gateway_says_that_it_is_of_a_zone(aws: Cloud) -> None:
    ec2 = aws.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    made = ec2.create_nat_gateway(SubnetId=subnet, ConnectivityType="private")["NatGateway"]["NatGatewayId"]

    [found] = ec2.describe_nat_gateways(NatGatewayIds=[made])["NatGateways"]

    assert found["AvailabilityMode"] == "zonal"


def test_a_request_that_is_sent_again_is_carried_out_once(aws: Cloud) -> None:
    ec2, eks = aws.client("ec2"), aws.client("eks")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    cluster(aws, "once")
    addon = {"clusterName": "once", "addonName": "coredns", "addonVersion": "v1.13.2-eksbuild.11"}

    tables = {ec2.create_route_table(VpcId=vpc, ClientToken="one")["RouteTable"]["RouteTableId"] for _ in range(2)}
    addons = {eks.create_addon(**addon, clientRequestToken="one")["addon"]["addonArn"] for _ in range(2)}

    assert len(tables) == len(addons) == 1
    another = ec2.create_route_table(VpcId=vpc, ClientToken="another")["RouteTable"]["RouteTableId"]
    assert another not in tables
    with pytest.raises(eks.exceptions.ResourceInUseException):
        eks.create_addon(**addon, clientRequestToken="another")
    eks.delete_cluster(name="once")


def test_an_answer_comes_in_one_piece(aws: Cloud) -> None:
    """On a busy machine the AWS plugin has been seen to close the connection after a head that came alone."""
    server = urlsplit(aws.url)

    for _ in range(20):  # two pieces may also come together
        with socket.create_connection((server.hostname, server.port)) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: s3.amazonaws.com\r\n\r\n")
            assert connection.recv(65536).endswith(b"</ListAllMyBucketsResult>")


def test_no_request_fails_because_of_another(aws: Cloud) -> None:
    """In the tests' moto: the sandbox's own takes several requests at a time, and may fail on a busy machine."""
    iam = aws.client("iam", retries={"total_max_attempts": 1})
    iam.create_role(RoleName="busy", AssumeRolePolicyDocument="{}")
    document = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}'

    def change(number: int) -> None:
        if number % 2:
            iam.create_policy(PolicyName=f"of-{number}", PolicyDocument=document)
        else:
            iam.attach_role_policy(RoleName="busy", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(change, range(100)))


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


def test_the_node_groups_of_a_cluster_that_is_not_there_are_not_found(aws: Cloud) -> None:
    eks = aws.client("eks")
    with pytest.raises(eks.exceptions.ResourceNotFoundException):
        eks.list_nodegroups(clusterName="nowhere")


def test_a_record_that_is_gone_cannot_be_deleted_and_its_zone_says_so(aws: Cloud) -> None:
    route53 = aws.client("route53")
    zone = route53.create_hosted_zone(Name="gone.test", CallerReference="gone")["HostedZone"]["Id"]
    record = {"Name": "www.gone.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}

    def change(action: str) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record}]
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

    for action in ("CREATE", "DELETE"):
        change(action)

    with pytest.raises(route53.exceptions.InvalidChangeBatch, match="not found"):
        change("DELETE")
