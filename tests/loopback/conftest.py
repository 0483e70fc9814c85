"""What the tests of the stand-in for AWS share: a moto server on loopback, the stand-in, and a look behind its back."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
import requests
from sandbox.plugins.aws.plugin import plugin

from tests.aws_server import aws_server
from tests.fast.plugin_engine import Engine, engine
from tests.loopback.aws_provider import settled


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """Where AWS is; the credentials for it are in the environment."""
    with aws_server() as address, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield address


@pytest.fixture(scope="module")
def by_hand(endpoint: str) -> Callable[[str], Any]:
    """The same AWS behind Pulumi's back: from a service's name to its client."""

    @cache
    def client(service: str) -> Any:
        return boto3.client(service, region_name="us-east-1", endpoint_url=endpoint)

    return client


@pytest.fixture(scope="module")
def configured(endpoint: str) -> Iterator[Engine]:
    """The stand-in, with a default tag."""
    with engine(plugin(), **settled(endpoint, app="ejemplo")) as speaking:
        yield speaking


@pytest.fixture
def aws(endpoint: str, configured: Engine) -> Engine:
    """The stand-in before an AWS in which nothing is."""
    requests.post(f"{endpoint}/moto-api/reset", timeout=30).raise_for_status()
    return configured
