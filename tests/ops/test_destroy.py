"""The end of a stack: what is asked before, and what is found afterwards, in the AWS of a moto server on loopback."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from ops import destroy, pulumi
from ops.command import OpsError

pytestmark = pytest.mark.timeout(120)  # runs of pulumi

TAGS = [{"Key": "stack", "Value": "dev"}]
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
    return {"aws": {"region": "us-east-1", "endpoint": address, "tags": {"stack": "dev"}}, "cluster": cluster}


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

    client("acm", aws).request_certificate(DomainName="dev.example.com", Tags=TAGS)
    with pytest.raises(OpsError, match=r"1 of dev are left(.|\n)*ops audit --stack dev"):
        destroy.audit("dev")
    assert "Left: arn:aws:acm:" in capfd.readouterr().out


def test_what_is_left_is_what_has_the_stacks_tags_or_what_its_service_had_made_and_nothing_else(aws: str) -> None:
    cluster = {"Key": "kubernetes.io/cluster/dev", "Value": "owned"}
    client("s3", aws).create_bucket(Bucket="clusters.dev.example.com")
    kms = client("kms", aws)
    for key in (kms.create_key(Tags=[{"TagKey": "stack", "TagValue": "dev"}]) for _ in range(2)):
        kept = key["KeyMetadata"]
    kms.schedule_key_deletion(KeyId=kept["KeyId"], PendingWindowInDays=7)
    elb(aws, "a0b1c2", cluster, SERVICE)
    elb(aws, "a0b1c2d3", cluster, SERVICE)
    elb(aws, "of-the-shop", cluster)

    def names(driver: str) -> list[str]:
        return [arn.rpartition("/")[2] for arn in destroy.left("dev", settings(aws, driver=driver, name="dev"), STATE)]

    left = names("existing")
    assert "a0b1c2" in left
    assert len(left) == 2, "the balancer, and the key that nobody deletes"
    assert kept["KeyId"] not in left
    # The cluster was the stack's own, and so was all in it.
    assert {"a0b1c2", "a0b1c2d3", "of-the-shop"} < set(names("eks"))
    assert len(names("eks")) == 4


def test_what_nobody_can_tell_is_not_taken_for_nothing(aws: str) -> None:
    with pytest.raises(OpsError, match="What has the stack's tags is not known"):
        destroy.left("dev", settings("http://127.0.0.1:9"), [])
    untagged = settings(aws) | {"aws": {"region": "us-east-1", "tags": {"project": "ejemplo-django"}}}
    with pytest.raises(OpsError, match=r"config set --stack dev --path aws\.tags\.stack dev"):
        destroy.left("dev", untagged, [])


def test_a_state_of_another_account_or_one_that_is_protected_is_left_alone(aws: str) -> None:
    def state(account: str) -> list[dict[str, Any]]:
        outputs = {"arn": f"arn:aws:acm:us-east-1:{account}:certificate/1"}
        return [{"type": "aws:acm/certificate:Certificate", "urn": "u::web", "outputs": outputs, "protect": True}]

    here = client("sts", aws).get_caller_identity()["Account"]
    destroy.same_account(state(here), settings(aws))
    with pytest.raises(OpsError, match="of the AWS account 000000000000, and these credentials are of"):
        destroy.same_account(state("000000000000"), settings(aws))
    with pytest.raises(OpsError, match="The stack dev is protected: web"):
        destroy.unprotected(state(here), "dev")
