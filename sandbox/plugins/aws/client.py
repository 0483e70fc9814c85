"""The AWS API: clients made from the provider's inputs, and errors a user can act on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from sandbox.plugins.resource import PluginError
from sandbox.plugins.values import Properties

SERVICES = ("route53", "acm", "s3", "ecr", "sns", "cloudwatch", "ec2", "eks", "iam", "kms", "logs")
"""Those of the types, by boto's names, which are the provider's own names of their endpoints."""
ATTEMPTS = 5
"""Times a request is tried when AWS throttles it or the connection breaks."""
CONNECT_SECONDS = 5
"""How long to wait for a connection: an endpoint on the same machine answers at once or never."""


class AwsError(PluginError):
    """AWS refused a request; `code` is its error code, such as NoSuchBucket."""

    def __init__(self, message: str, *, code: str) -> None:
        """Fail with AWS's `code` and a message for the user."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Aws:
    """What the types need of the provider."""

    region: str
    default_tags: Mapping[str, str]
    route53: Any
    acm: Any
    s3: Any
    ecr: Any
    sns: Any
    cloudwatch: Any
    ec2: Any
    eks: Any
    iam: Any
    kms: Any
    logs: Any


def connect(config: Properties) -> Aws:
    """Make the clients from the provider's inputs.

    Credentials come from the environment, endpoints from the input `endpoints`, then from the environment.
    Raises PluginError when there is no region.
    """
    # Only now: the engine waits for a plugin to start before it starts the next, but not for this.
    import boto3
    from botocore.config import Config

    session = boto3.Session(region_name=config.get("region"))
    endpoints = {name: url for each in config.get("endpoints") or [] for name, url in each.items() if url}
    style = {"addressing_style": "path"} if config.get("s3UsePathStyle") else {}
    settings = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        s3=style,
    )
    try:
        clients = {name: session.client(name, endpoint_url=endpoints.get(name), config=settings) for name in SERVICES}
    except NoRegionError as missing:
        message = "provider aws: no region: set the provider's input `region` or the variable AWS_REGION"
        raise PluginError(message) from missing
    tags = (config.get("defaultTags") or {}).get("tags") or {}
    return Aws(region=clients["acm"].meta.region_name, default_tags=tags, **clients)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ones that begin with `what`, such as `creating S3 Bucket (x)`."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise AwsError(f"{what}: {code}: {message}", code=code) from error
    except NoCredentialsError as error:
        hint = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        raise PluginError(f"{what}: no AWS credentials were found: {hint}") from error
    except BotoCoreError as error:
        hint = "check that the AWS endpoint is up and that the input `endpoints` of the aws provider names it"
        raise PluginError(f"{what}: AWS did not answer ({error}): {hint}") from error


@contextmanager
def unless(*codes: str) -> Iterator[None]:
    """Leave the block quietly when AWS answers with one of these error codes."""
    try:
        yield
    except AwsError as error:
        if error.code not in codes:
            raise
