"""AWS as a stack's settings name it: the same region, endpoint and credentials as the program's provider has."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.loaders import Loader, create_loader

from infra.settings.aws import Aws
from ops.errors import OpsError

_SETTINGS = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3})
"""Seconds, and how often: AWS answers at once, or something is in between."""


class RefusedError(OpsError):
    """AWS answered with an error; `code` is its error code, such as NoSuchBucket."""

    def __init__(self, message: str, *, code: str) -> None:
        """Fail with AWS's code and a message for the user."""
        super().__init__(message)
        self.code = code


def client(service: str, settings: Aws) -> Any:
    """A client of a service, such as route53, with the credentials of the environment."""
    # A bucket is a path at an endpoint, as it is for the program's provider.
    config = _SETTINGS.merge(Config(s3={"addressing_style": "path"})) if settings.endpoint else _SETTINGS
    session = botocore.session.get_session()
    session.register_component("data_loader", _models())
    return boto3.Session(botocore_session=session, region_name=settings.region).client(
        service, endpoint_url=settings.endpoint, config=config
    )


@cache
def _models() -> Loader:
    """The descriptions of the services' APIs: megabytes of JSON, which every session would read anew."""
    return create_loader()


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Turn the SDK's errors into an OpsError that begins with `what`, such as "Reading the hosted zones"."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise RefusedError(f"{what}: AWS refused with {code}: {message}", code=code) from error
    except NoCredentialsError as error:
        raise OpsError(
            f"{what}: no AWS credentials were found. Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        ) from error
    except BotoCoreError as error:
        raise OpsError(f"{what}: AWS did not answer: {error}") from error


def every(settings: Aws, service: str, operation: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
    """All that a listing operation gives, from every page of it; `key` is the member of a page that has the list.

    Raises OpsError: nothing that could not be looked at passes for an empty list.
    """
    with doing(f"{service}:{operation}"):
        pages = client(service, settings).get_paginator(operation).paginate(**arguments)
        return [each for page in pages for each in page.get(key, [])]


def records(settings: Aws, zone: str) -> list[dict[str, Any]]:
    """Every record of a hosted zone, by its id. Raises OpsError."""
    return every(settings, "route53", "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone)


def account(settings: Aws) -> str:
    """The account that the credentials belong to. Raises OpsError when AWS does not know them."""
    with doing("Asking AWS whose the credentials are"):
        return str(client("sts", settings).get_caller_identity()["Account"])


def zone(settings: Aws, domain: str) -> str | None:
    """The id of the public hosted zone for a domain, None when the account has none. Raises OpsError."""
    with doing(f"Looking for the hosted zone {domain}"):
        found = client("route53", settings).list_hosted_zones_by_name(DNSName=domain)["HostedZones"]
    for each in found:
        if each["Name"] == f"{domain}." and not each["Config"].get("PrivateZone"):
            return str(each["Id"].removeprefix("/hostedzone/"))
    return None


def command(settings: Aws, *arguments: str) -> str:
    """What to type for an AWS command of these settings."""
    words = ["aws", *arguments, "--region", settings.region]
    return " ".join(words + (["--endpoint-url", settings.endpoint] if settings.endpoint else []))
