"""A secret in AWS Secrets Manager, which an `up` reads and a preview does not."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from pulumi import RunError

from infra.app.aws_secret import AwsSecretProvider
from tests.aws_server import aws_server
from tests.tools import engine, engine_environment

PROVIDER = AwsSecretProvider()
KEY = "app.awsSecrets.DATABASE_URL"


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with aws_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield url


class Kept:
    """A secret, and the inputs that a stack passes to its provider."""

    def __init__(self, endpoint: str, text: str) -> None:
        self._client = boto3.client("secretsmanager", region_name="us-east-1", endpoint_url=endpoint)
        self.arn = self._client.create_secret(Name="database", SecretString=text)["ARN"]

    def change(self, text: str) -> None:
        self._client.put_secret_value(SecretId=self.arn, SecretString=text)

    def end(self) -> None:
        self._client.delete_secret(SecretId=self.arn, ForceDeleteWithoutRecovery=True)

    def props(self, part: str = "", *, look: bool = True) -> dict[str, Any]:
        # No endpoint: for AWS itself, Pulumi passes none to the provider.
        return {"arn": f"{self.arn}{part}", "key": KEY, "look": look}


@pytest.fixture
def secret(endpoint: str) -> Iterator[Kept]:
    kept = Kept(endpoint, '{"url": "postgres://one", "port": 5432}')
    yield kept
    kept.end()


def made(secret: Kept, part: str = "") -> dict[str, Any]:
    """Return the outputs in the state after the secret was read."""
    return PROVIDER.create(secret.props(part)).outs or {}


def test_the_whole_text_is_read_or_what_is_under_a_key(secret: Kept) -> None:
    assert made(secret)["value"] == '{"url": "postgres://one", "port": 5432}'
    assert made(secret, "#url")["value"] == "postgres://one"


def test_a_new_version_is_found_by_an_up_and_by_no_preview(secret: Kept) -> None:
    first = made(secret, "#url")
    assert PROVIDER.diff("id", first, secret.props("#url")).changes is False
    secret.change('{"url": "postgres://two"}')
    assert PROVIDER.diff("id", first, secret.props("#url", look=False)).changes is False
    assert PROVIDER.diff("id", first, secret.props("#url")).changes is True
    assert (PROVIDER.update("id", first, secret.props("#url")).outs or {})["value"] == "postgres://two"


@pytest.mark.parametrize("part", ["#none", "#port"])
def test_what_is_not_there_is_refused_by_the_key_and_without_what_is(secret: Kept, part: str) -> None:
    with pytest.raises(RunError, match=KEY) as refused:
        PROVIDER.create(secret.props(part))
    assert "postgres" not in str(refused.value)


def test_a_secret_that_aws_does_not_give_is_refused_by_the_key(endpoint: str, secret: Kept) -> None:
    other = secret.props() | {"arn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:none-1b2c3d"}
    with pytest.raises(RunError, match=KEY):
        PROVIDER.create(other)


PROGRAM = f"""
import pulumi
from infra.app.aws_secret import AwsSecret

arn = pulumi.Config().require("arn")
pulumi.export("value", AwsSecret("a", key="{KEY}", arn=arn, endpoint=None, opts=pulumi.ResourceOptions()).value)
"""


def test_a_preview_shows_no_change_that_only_an_up_can_see(
    secret: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine(tmp_path / "bin")
    for name, value in engine_environment(tmp_path, tmp_path / "bin", backend=tmp_path).items():
        monkeypatch.setenv(name, value)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "secrets", "runtime": runtime}))
    (tmp_path / "__main__.py").write_text(PROGRAM)

    def pulumi(*arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("stack", "init", "dev")
    pulumi("config", "set", "arn", f"{secret.arn}#url")
    assert "postgres" not in pulumi("up", "--yes", "--skip-preview")
    assert pulumi("stack", "output", "value", "--show-secrets").strip() == "postgres://one"
    assert "postgres" not in pulumi("stack", "export")
    pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    secret.change('{"url": "postgres://two"}')
    pulumi("preview", "--expect-no-changes")
    pulumi("up", "--yes", "--skip-preview")
    assert pulumi("stack", "output", "value", "--show-secrets").strip() == "postgres://two"
