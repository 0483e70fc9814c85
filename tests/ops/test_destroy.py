"""The destruction of a stack: the questions before it and the audit after it, with moto on loopback as AWS."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.ownership import NAME, OWNER
from ops import aws as in_aws, destroy, pulumi
from ops.command import OpsError
from tests.recorder import PROJECT
from tests.troubles import provoked

MARK = {"Key": OWNER, "Value": f"{PROJECT}/dev"}
SERVICE = {"Key": "kubernetes.io/service-name", "Value": "default/web"}
OUTPUTS = {
    "metadata": {"namespace": "default", "name": "web"},
    "status": {"loadBalancer": {"ingress": [{"hostname": "a0b1c2-1234567890.us-east-1.elb.amazonaws.com"}]}},
}
STATE = [{"type": "kubernetes:core/v1:Service", "outputs": OUTPUTS}]


def client(service: str, address: str) -> Any:
    return boto3.client(service, region_name="us-east-1", endpoint_url=address)


def elb(address: str, name: str, *tags: dict[str, str]) -> None:
    listener = {"Protocol": "tcp", "LoadBalancerPort": 443, "InstancePort": 30000}
    client("elb", address).create_load_balancer(
        LoadBalancerName=name, Listeners=[listener], AvailabilityZones=["us-east-1a"], Tags=tags
    )


def settings(address: str, **cluster: str) -> dict[str, Any]:
    where = {"region": "us-east-1", "endpoint": address, "tags": {"stack": "dev"}}
    return {"domain": "dev.example.com", "aws": where, "cluster": cluster}


def test_a_stack_is_destroyed_once_its_name_is_typed_and_nothing_is_left(
    aws: str, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    for given in ("", "prod"):
        with pytest.raises(OpsError, match="Nothing was destroyed"):
            destroy.run(stack="dev", confirm=given)
    with pytest.raises(OpsError, match="It is not destroyed"):
        destroy.audit("dev")
    assert "  1 Resource" in capfd.readouterr().out
    destroy.run(stack="dev", confirm="dev")
    assert not [each for each in pulumi.state("dev") if each.get("custom")]
    assert "Nothing is left of dev" in capfd.readouterr().out

    client("acm", aws).request_certificate(DomainName="dev.example.com", Tags=[MARK])
    with pytest.raises(OpsError, match=r"1 of dev are left(.|\n)*ops audit --stack dev") as left:
        destroy.audit("dev")
    provoked("… of … are left", str(left.value))
    assert "Left: arn:aws:acm:" in capfd.readouterr().out


def test_what_is_left_is_what_has_the_stacks_mark_or_what_its_service_had_made_and_nothing_else(aws: str) -> None:
    cluster = {"Key": "kubernetes.io/cluster/dev", "Value": "owned"}
    shared = {"Key": "kubernetes.io/cluster/dev", "Value": "shared"}
    client("s3", aws).create_bucket(Bucket="clusters.dev.example.com")
    for tag in ({"Key": "stack", "Value": "dev"}, {**MARK, "Value": f"{PROJECT}/dev2"}):  # a user's; another stack's
        client("acm", aws).request_certificate(DomainName="dev.example.com", Tags=[tag])
    kms = client("kms", aws)
    for key in (kms.create_key(Tags=[{"TagKey": MARK["Key"], "TagValue": MARK["Value"]}]) for _ in range(2)):
        kept = key["KeyMetadata"]
    kms.schedule_key_deletion(KeyId=kept["KeyId"], PendingWindowInDays=7)
    elb(aws, "a0b1c2", cluster, SERVICE)
    elb(aws, "a0b1c2d3", cluster, SERVICE)
    elb(aws, "of-the-shop", cluster)
    elb(aws, "of-somebody-else", shared)

    def names(driver: str) -> list[str]:
        return [arn.rpartition("/")[2] for arn in destroy.left("dev", settings(aws, driver=driver, name="dev"), STATE)]

    left = names("existing")
    assert "a0b1c2" in left
    assert len(left) == 2, "the balancer, and the key that nobody deletes"
    assert kept["KeyId"] not in left
    # The cluster was the stack's own, and so was everything in it.
    assert {"a0b1c2", "a0b1c2d3", "of-the-shop"} < set(names("eks"))
    assert len(names("eks")) == 4


def test_a_zone_without_its_tags_and_a_role_are_left_too_and_nothing_of_another_copy_of_the_project(aws: str) -> None:
    """AWS lists neither by the mark; another copy has the same project and stack, and another domain."""
    iam, route53 = client("iam", aws), client("route53", aws)
    for domain in ("dev.example.com", "shop.example.com"):
        mark = [MARK, {"Key": NAME, "Value": f"{domain}/cluster-nodes"}]
        role = f"cluster-nodes-of-{domain}"
        iam.create_role(RoleName=role, AssumeRolePolicyDocument="{}", Tags=mark)
        client("acm", aws).request_certificate(DomainName=domain, Tags=mark)
        made = route53.create_hosted_zone(
            Name=domain, CallerReference=domain, HostedZoneConfig={"Comment": MARK["Value"]}
        )["HostedZone"]["Id"].rpartition("/")[2]
        if domain.startswith("shop"):
            route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=made, AddTags=mark)
    left = destroy.left("dev", settings(aws, driver="eks"), [])
    assert {arn.split(":")[2] for arn in left} == {"acm", "iam", "route53"}
    assert len(left) == 3


def test_what_nobody_can_tell_is_not_taken_for_nothing(aws: str) -> None:
    with pytest.raises(OpsError, match="tag ejemplo-django/stack could not be listed"):
        destroy.left("dev", settings("http://127.0.0.1:9"), [])


def test_what_the_stack_only_looked_up_is_no_loss() -> None:
    zone = {"type": "aws:route53/zone:Zone", "urn": "u::zone-zone", "inputs": {"forceDestroy": True}, "id": "Z0"}
    assert list(destroy.losses([zone | {"external": True}])) == []
    assert len(list(destroy.losses([zone]))) == 2


def test_a_state_of_another_account_or_one_that_is_protected_is_left_alone(aws: str) -> None:
    def state(account: str) -> list[dict[str, Any]]:
        outputs = {"arn": f"arn:aws:acm:us-east-1:{account}:certificate/1"}
        return [{"type": "aws:acm/certificate:Certificate", "urn": "u::web", "outputs": outputs, "protect": True}]

    here = client("sts", aws).get_caller_identity()["Account"]
    in_aws.same_account(state(here), settings(aws))
    with pytest.raises(OpsError, match="000000000000") as other:
        in_aws.same_account(state("000000000000"), settings(aws))
    provoked("The state is of the AWS account …, and these credentials are of …", str(other.value))
    with pytest.raises(OpsError, match="protected: web") as kept:
        destroy.unprotected(state(here), "dev")
    provoked("The stack … is protected", str(kept.value))
