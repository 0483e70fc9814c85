"""AWS as a stack's settings name it: the region and endpoint of the program's provider, the environment's login."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ops.command import OpsError

_TIMES = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
"""Seconds, and how often: AWS answers at once, or something is in between."""


def client(service: str, settings: Mapping[str, Any], *, region: str = "") -> Any:
    """A client of a service, such as sts; `settings` are the stack's."""
    where = settings.get("aws") or {}
    return boto3.client(
        service, region_name=region or where.get("region"), endpoint_url=where.get("endpoint"), config=_TIMES
    )


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Turn the SDK's errors into an OpsError that begins with `what`, such as "The account was not found."."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        todo = "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and see: aws sts get-caller-identity"
        raise OpsError(what, f"{error}.", todo) from error


def account(settings: Mapping[str, Any]) -> str:
    """The account that the credentials belong to. Raises OpsError when AWS does not know them, or not answer."""
    with doing("The AWS account of these credentials is not known."):
        return str(client("sts", settings).get_caller_identity()["Account"])


def tagged(settings: Mapping[str, Any], tags: Mapping[str, str]) -> list[str]:
    """The ARNs of all that has these tags, in the stack's region and of what is global. Raises OpsError.

    An empty value stands for any.
    """
    region = str(settings["aws"]["region"])
    filters = [{"Key": key, "Values": [value] if value else []} for key, value in tags.items()]
    found = set()
    with doing("What has the stack's tags is not known."):
        # The global services, such as Route 53 and IAM, are told of in us-east-1 alone.
        for each in {region, "us-east-1"}:
            pages = client("resourcegroupstaggingapi", settings, region=each).get_paginator("get_resources")
            for page in pages.paginate(TagFilters=filters):
                found |= {mapping["ResourceARN"] for mapping in page["ResourceTagMappingList"]}
    return sorted(arn for arn in found if arn.split(":")[3] in ("", region))


def goes(settings: Mapping[str, Any], key: str) -> bool:
    """Whether a KMS key waits for its deletion, which takes a week or more. Raises OpsError when it is not known."""
    with doing(f"Whether the key {key} goes is not known."):
        return str(client("kms", settings).describe_key(KeyId=key)["KeyMetadata"]["KeyState"]) == "PendingDeletion"
