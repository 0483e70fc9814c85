"""What the read-only role may do in AWS, held against AWS's own list of operations."""

import botocore.session
import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from ops.engine import PROJECT

PREVIEW = (PROJECT / "ops/policies/preview.json").read_text()
NAME = "clusters.dev.example.com"


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
