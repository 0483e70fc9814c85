"""The S3 bucket that a stack's state is kept in: versioned, encrypted, private, and closed to plain http.

It cannot be declared by the program: there is no state before there is a bucket.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from infra.settings.aws import Aws
from ops import aws
from ops.errors import OpsError

_ABSENT = (
    "NoSuchBucketPolicy",
    "NoSuchPublicAccessBlockConfiguration",
    "OwnershipControlsNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
)
"""What S3 answers when a bucket has no such setting."""
_PRIVATE = dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)


def bucket_name(text: str) -> str | None:
    """Check a bucket's name as S3 does (its naming rules): what was expected, or None."""
    fits = re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", text) and ".." not in text
    return None if fits else "a bucket's name: 3 to 63 of a-z, 0-9, '-' and '.', such as acme-pulumi-state"


def ensure(bucket: str, settings: Aws, *, undo: Callable[[Callable[[], None]], object]) -> None:
    """Make the bucket, or find the user's own in order; never change one that was there.

    `undo` takes what removes the bucket again, as soon as there is one. Raises OpsError for a bucket of somebody
    else, or with another setting.
    """
    s3 = aws.client("s3", settings)
    try:
        with aws.doing(f"Looking for the bucket {bucket}"):
            s3.head_bucket(Bucket=bucket)
    except aws.RefusedError as error:
        if error.code != "404":
            raise OpsError(f"The bucket {bucket} belongs to somebody else. Choose another name.") from error
        _make(s3, bucket, settings, undo)
        return
    if wrong := faults(bucket, settings):
        raise OpsError(
            f"The bucket {bucket} is there, but it is {', '.join(wrong)}: whoever reads a state file has what is in "
            "it. It was left as it is; mend it, or choose another name."
        )


def faults(bucket: str, settings: Aws) -> list[str]:
    """What is not as it has to be: `not versioned`, `not encrypted`, `not private`, `open to plain http`."""
    s3 = aws.client("s3", settings)
    versioning = _setting(s3.get_bucket_versioning, bucket).get("Status")
    encryption = _setting(s3.get_bucket_encryption, bucket)
    private = _setting(s3.get_public_access_block, bucket).get("PublicAccessBlockConfiguration")
    policy = json.loads(_setting(s3.get_bucket_policy, bucket).get("Policy", "{}"))
    closed = any(
        each.get("Effect") == "Deny" and each.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport") == "false"
        for each in policy.get("Statement", [])
    )
    found = {
        "not versioned": versioning == "Enabled",
        "not encrypted": bool(encryption),
        "not private": private == _PRIVATE,
        "open to plain http": closed,
    }
    return [what for what, fine in found.items() if not fine]


def _make(s3: Any, bucket: str, settings: Aws, undo: Callable[[Callable[[], None]], object]) -> None:
    # us-east-1 is the default, and S3 refuses to be told it.
    where = {"LocationConstraint": settings.region} if settings.region != "us-east-1" else None
    arn = f"arn:aws:s3:::{bucket}"
    tls_only = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    encrypted = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    with aws.doing(f"Making the bucket {bucket}"):
        s3.create_bucket(Bucket=bucket, **({"CreateBucketConfiguration": where} if where else {}))
        undo(lambda: _remove(s3, bucket))
        s3.put_bucket_ownership_controls(
            Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        )
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=_PRIVATE)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [encrypted]})
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [tls_only]}))


def _remove(s3: Any, bucket: str) -> None:
    """Delete the bucket with what pulumi wrote there, every version."""
    with aws.doing(f"Removing the bucket {bucket}, which was just made"):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
        s3.delete_bucket(Bucket=bucket)


def _setting(get: Callable[..., dict[str, Any]], bucket: str) -> dict[str, Any]:
    try:
        with aws.doing(f"Reading the settings of the bucket {bucket}"):
            return get(Bucket=bucket)
    except aws.RefusedError as error:
        if error.code in _ABSENT:
            return {}
        raise
