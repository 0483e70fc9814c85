"""A client for AWS calls that Pulumi's provider cannot make: what exists before something is created."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pulumi

from infra.settings.aws import Aws


def connect(service: str, in_aws: Aws) -> Any:
    """Return a client of a service that gives up within seconds if nothing answers.

    Credentials come from the environment, as for every AWS tool.
    """
    # Imported only when needed: they are slow to load.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=5,  # seconds, as the next
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        # Another endpoint has no host name for each bucket.
        s3={"addressing_style": "path"} if in_aws.endpoint else None,
    )
    # A session of its own: the default one must not create two clients at once.
    return boto3.session.Session().client(
        service, region_name=in_aws.region, endpoint_url=in_aws.endpoint, config=config
    )


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise RunError for every AWS error that the block does not catch; `what` says what the block has to find out."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise pulumi.RunError(f"{what} is not known: {error}.") from error


@contextmanager
def client(service: str, in_aws: Aws, *, asks: str) -> Iterator[Any]:
    """Yield a client, as `connect` returns it, and raise RunError for its errors, as `asking` does."""
    with asking(asks):
        yield connect(service, in_aws)
