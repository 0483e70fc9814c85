"""Compare a deployment's calls to AWS with the policies in ops/policies/."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult

from sandbox import addresses
from sandbox.layout import Layout
from tests.e2e import cloud

Call = dict[str, Any]
"""A line of the sandbox's log of calls to AWS."""

_ANY = f"{addresses.REGION}:123"
"""Region and account in an ARN. In the policies, the account is `*`."""

_S3 = {
    "CopyObject": "PutObject",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteObjects": "DeleteObjectVersion",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjectsV2": "ListBucket",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketTagging": "PutBucketTagging",
}
"""S3's operations that need a right with another name
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html)."""

_EKS = {
    "nodegroupName": "nodegroup",
    "addonName": "addon",
    "principalArn": "access-entry",
    "associationId": "podidentityassociation",
}
"""The kind of resource in an ARN of EKS, by the parameter that names the resource."""


def calls(layout: Layout, *, who: str) -> list[Call]:
    """Return the calls made with this access key, in order."""
    lines = layout.aws_calls.read_text().splitlines()
    return [call for line in lines if (call := json.loads(line))["who"] == who]


def refused(
    asked: Sequence[Call], *, checkout: Path, policies: Collection[str], places: Mapping[str, str]
) -> set[tuple[str, str]]:
    """Return the rights that the calls need and the policies do not give.

    `places` has the values of placeholders such as DOMAIN in the policies.
    """
    statements = [each for name in policies for each in _statements(checkout, name, places)]
    return {right for right in map(_right, asked) if not any(_allows(each, *right) for each in statements)}


def hold(asked: Sequence[Call], *, checkout: Path, policies: Collection[str], places: Mapping[str, str]) -> None:
    """Fail unless the policies allow every call, and docs/ci.md explains every statement that no call needed."""
    assert refused(asked, checkout=checkout, policies=policies, places=places) == set()
    rights = {_right(each) for each in asked}
    statements = [each for name in policies for each in _statements(checkout, name, places)]
    unused = {each["Sid"] for each in statements if not any(_allows(each, *right) for right in rights)}
    page = (checkout / "docs" / "ci.md").read_text()
    explained = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", page, flags=re.MULTILINE))
    assert unused == {each["Sid"] for each in statements if explained[each["Sid"]] != "yes"}


def _right(call: Call) -> tuple[str, str]:
    """Return the right that a call needs, and the ARN of its resource."""
    service, operation, names = call["service"], call["operation"], call["names"]
    assert operation, f"unknown to botocore: {call}"
    action = _S3.get(operation, operation) if service == "s3" else operation
    return f"{service}:{action}", _arn(service, operation, names)


def _arn(service: str, operation: str, names: Mapping[str, str]) -> str:
    given = names.get("CertificateArn") or names.get("resourceArn") or names.get("KeyId", "")
    if given.startswith("arn:"):
        return given
    match service:
        case "acm" if operation == "RequestCertificate":
            return f"arn:aws:acm:{_ANY}:certificate/*"
        case "ecr" if operation != "GetAuthorizationToken":
            return f"arn:aws:ecr:{_ANY}:repository/{names.get('repositoryName', cloud.REPOSITORY)}"
        case "eks" if cluster := names.get("clusterName") or names.get("name"):
            kinds = (f"{kind}/{cluster}/{names[name]}" for name, kind in _EKS.items() if name in names)
            return f"arn:aws:eks:{_ANY}:{next(kinds, f'cluster/{cluster}')}"
        case "iam" if "RoleName" in names:
            return f"arn:aws:iam::123:role/{names['RoleName']}"
        case "kms" if "AliasName" in names:
            return f"arn:aws:kms:{_ANY}:{names['AliasName']}"
        case "kms" if given:
            return f"arn:aws:kms:{_ANY}:key/{given}"
        case "logs":
            return f"arn:aws:logs:{_ANY}:log-group:{names.get('logGroupName', '*')}"
        case "route53" if zone := names.get("HostedZoneId") or names.get("ResourceId") or names.get("Id"):
            return f"arn:aws:route53:::{'change' if operation == 'GetChange' else 'hostedzone'}/{zone}"
        case "s3":
            key = f"/{names['Key']}" if "Key" in names else "/*" if operation == "DeleteObjects" else ""
            return f"arn:aws:s3:::{names['Bucket']}{key}"
    return "*"


def _statements(checkout: Path, policy: str, places: Mapping[str, str]) -> list[dict[str, Any]]:
    text = (checkout / "ops" / "policies" / f"{policy}.json").read_text()
    for word, place in {"ACCOUNT": "*", "REGION": addresses.REGION, **places}.items():
        text = text.replace(word, place)
    statements: list[dict[str, Any]] = json.loads(text)["Statement"]
    return statements


def _allows(statement: Mapping[str, Any], action: str, arn: str) -> bool:
    """Return whether the statement's actions and resources allow it; conditions concern what moto does not know."""
    only = {key: value for key, value in statement.items() if key != "Condition"}
    policy = IAMPolicy(json.dumps({"Version": "2012-10-17", "Statement": [only]}))
    return policy.is_action_permitted(action, arn) is PermissionResult.PERMITTED
