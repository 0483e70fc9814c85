"""The state bucket and the certificate, as AWS's API describes them."""

import json
from typing import Any

import pytest

from tests.e2e import cloud
from tests.e2e.site import Site


@pytest.fixture(scope="module")
def bucket(outputs: dict[str, Any]) -> str:
    """Return the state bucket's name."""
    scheme, _, name = str(outputs["stateStore"]).partition("://")
    assert scheme == "s3"
    return name


@pytest.fixture(scope="module")
def s3() -> Any:
    """Return a client of S3."""
    return cloud.client("s3")


def test_the_bucket_has_the_tutorials_name(bucket: str) -> None:
    assert bucket == "clusters.local.example.test"


def test_the_bucket_is_versioned(s3: Any, bucket: str) -> None:
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_the_bucket_is_encrypted(s3: Any, bucket: str) -> None:
    [rule] = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms")


def test_the_bucket_blocks_public_access_in_all_four_ways(s3: Any, bucket: str) -> None:
    block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }


def test_the_buckets_policy_denies_everybody_everything_over_plain_http(s3: Any, bucket: str) -> None:
    statements = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    denied = [each for each in statements if each["Effect"] == "Deny"]
    [rule] = [each for each in denied if each["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}]
    assert rule["Principal"] in ("*", {"AWS": "*"})
    assert rule["Action"] == "s3:*"
    assert sorted(rule["Resource"]) == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    assert not [each for each in statements if each["Effect"] == "Allow"]


def test_the_certificate_is_issued_for_the_host(outputs: dict[str, Any], site: Site) -> None:
    acm = cloud.client("acm")
    certificate = acm.describe_certificate(CertificateArn=outputs["certificateArn"])["Certificate"]
    assert certificate["Status"] == "ISSUED"
    assert certificate["DomainName"] == site.host
    assert [each["ValidationMethod"] for each in certificate["DomainValidationOptions"]] == ["DNS"]


def test_everything_in_aws_carries_the_stacks_tags(outputs: dict[str, Any], s3: Any, bucket: str) -> None:
    wanted = {"project": "ejemplo-django", "stack": "local"}
    certificate = cloud.client("acm").list_tags_for_certificate(CertificateArn=outputs["certificateArn"])
    zone = cloud.client("route53").list_tags_for_resource(ResourceType="hostedzone", ResourceId=outputs["zoneId"])
    for tags in (
        certificate["Tags"],
        zone["ResourceTagSet"]["Tags"],
        s3.get_bucket_tagging(Bucket=bucket)["TagSet"],
    ):
        assert wanted.items() <= {tag["Key"]: tag["Value"] for tag in tags}.items()
