"""What the read-only role may do in AWS, tried where AWS's answers are real, and otherwise held against its API."""

import json
from collections.abc import Iterator

import boto3
import botocore.session
import grpc
import pytest
import requests
from moto.iam.access_control import IAMPolicy, PermissionResult
from sandbox.plugins.aws.plugin import plugin
from tests.loopback.test_plugin_aws import (
    BLOCK,
    BUCKET,
    CERTIFICATE,
    ENCRYPTION,
    OWNERSHIP,
    POLICY,
    VERSIONING,
)

from ops.engine import PROJECT
from tests.aws_server import aws_server
from tests.fast.plugin_engine import Resource, engine
from tests.loopback.aws_provider import settled

PREVIEW = (PROJECT / "ops/policies/preview.json").read_text()
NAME = "clusters.dev.example.com"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An AWS that asks who one is, from `enforced` on."""
    with aws_server() as address:
        yield address


@pytest.fixture
def deployed(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Resource]]:
    """What the program has in S3 and ACM; from here on, only what the role may do is allowed."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    iam = boto3.client("iam", region_name="us-east-1", endpoint_url=endpoint)
    iam.create_user(UserName="preview")
    iam.put_user_policy(UserName="preview", PolicyName="preview", PolicyDocument=PREVIEW)
    key = iam.create_access_key(UserName="preview")["AccessKey"]
    rule = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}
    own = {"objectOwnership": "BucketOwnerEnforced"}
    with engine(plugin(), **settled(endpoint)) as allmighty:
        made = [
            allmighty.create(kind, inputs)
            for kind, inputs in (
                (BUCKET, {"bucket": NAME}),
                (VERSIONING, {"bucket": NAME, "versioningConfiguration": {"status": "Enabled"}}),
                (ENCRYPTION, {"bucket": NAME, "rules": [rule]}),
                (OWNERSHIP, {"bucket": NAME, "rule": own}),
                (BLOCK, {"bucket": NAME, "blockPublicAcls": True}),
                (POLICY, {"bucket": NAME, "policy": json.dumps({"Version": "2012-10-17", "Statement": [deny]})}),
                (CERTIFICATE, {"domainName": "dev.example.com", "validationMethod": "DNS"}),
            )
        ]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    before = requests.post(f"{endpoint}/moto-api/reset-auth", data="0", timeout=5).json()
    yield made
    # It holds for every moto of the process, those of other tests too.
    everything = str(before["PREVIOUS_INITIAL_NO_AUTH_ACTION_COUNT"])
    requests.post(f"{endpoint}/moto-api/reset-auth", data=everything, timeout=5).raise_for_status()


def test_the_role_reads_all_that_the_program_declares_and_deletes_none_of_it(
    deployed: list[Resource], endpoint: str
) -> None:
    with engine(plugin(), **settled(endpoint)) as readonly:
        for resource in deployed:
            assert readonly.refresh(resource) is not None
        for resource in reversed(deployed):
            # AWS of the sandbox says it in S3's words or in ACM's.
            with pytest.raises(grpc.RpcError, match=r"Access ?Denied"):
                readonly.delete(resource)
        for resource in deployed:
            assert readonly.refresh(resource) is not None


def may(action: str, resource: str = "*") -> bool:
    return IAMPolicy(PREVIEW).is_action_permitted(action, resource) is PermissionResult.PERMITTED


def test_of_all_that_the_services_can_do_the_role_may_do_nothing_but_read() -> None:
    session = botocore.session.get_session()
    services = ("acm", "ec2", "ecr", "eks", "elb", "iam", "kms", "logs", "route53", "s3", "secretsmanager", "sts")
    actions = [
        f"{service}:{operation}"
        for service in services
        for operation in session.get_service_model(service).operation_names
    ]
    resources = ("*", f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/key", "arn:aws:s3:::acme-pulumi-state/key")
    allowed = {action for action in actions for resource in resources if may(action, resource)}
    assert {"route53:GetHostedZone", "s3:GetBucketPolicy", "acm:DescribeCertificate"} <= allowed
    reading = ("Get", "List", "Describe", "Decrypt")
    assert [each for each in allowed if not each.split(":")[1].startswith(reading)] == []
    # A password of ECR is worth what its owner may do there, so that this one neither pulls nor pushes.
    assert not {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage"} & allowed


def test_the_role_reads_the_state_but_nothing_that_lies_in_the_clusters_bucket() -> None:
    assert may("s3:GetObject", "arn:aws:s3:::acme-pulumi-state/.pulumi/stacks/dev.json")
    assert not may("s3:GetObject", f"arn:aws:s3:::{NAME}/key")
    assert not may("s3:GetObject", "arn:aws:s3:::another-bucket/key")


@pytest.mark.parametrize("action", ["GetHostedZone", "ListResourceRecordSets", "ListTagsForResource"])
def test_the_role_reads_the_zone(action: str) -> None:
    assert may(f"route53:{action}")
