"""`make new-stack`, with the real pulumi: a whole stack, or nothing of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.server import ThreadedMotoServer

from infra.settings.aws import Aws
from ops import interview, new_stack, settings, stack_making, state_bucket
from ops.errors import OpsError
from ops.interview import Settled
from ops.stack_making import Request
from tests.ops.conftest import PASSPHRASE

PASSWORD = "hunter2-of-the-registry"


GIVEN = {
    "domain": "dev.example.com",
    "host": "",
    "aws.region": "us-east-1",
    "image.platform": "linux/amd64",
    "cluster.driver": "existing",
    "cluster.name": "c.dev.example.com",
    "cluster.kubeconfigFile": "kubeconfig",
    "registry.server": "registry.example.com",
    "registry.username": "ci",
    "registry.email": "ci@example.com",
}


def nobody(key: str, expected: str, proposal: str) -> str:
    raise AssertionError(f"asked for {key}, {expected}")


def settled(**changes: str) -> Settled:
    """The settings of a stack, nothing left to be asked."""
    return interview.settle(GIVEN | changes, name="dev", ask=nobody, secret=lambda _: PASSWORD)


@pytest.fixture
def request_(project: Path) -> Request:
    """A stack `dev` whose state is kept in a folder."""
    return Request(
        name="dev",
        backend=f"file://{project.parent / 'states'}",
        secrets_provider="passphrase",
        settled=settled(),
        passphrase=PASSPHRASE,
    )


@pytest.fixture
def s3(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """S3 and KMS on loopback, for pulumi as well, and a client of the former."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=5).raise_for_status()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    yield boto3.client("s3", region_name="us-east-1")
    server.stop()


@pytest.fixture
def over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have moto take its plain http for the https of the real S3: it denies whatever a policy's condition says."""
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)


def stacks(backend: str, project: Path) -> list[str]:
    """The stacks at the backend, as pulumi lists them."""
    listed = subprocess.run(
        ["pulumi", "stack", "ls", "--json"],
        cwd=project,
        env=os.environ | {"PULUMI_BACKEND_URL": backend},
        check=True,
        capture_output=True,
    )
    return [each["name"] for each in json.loads(listed.stdout)]


def test_the_program_accepts_what_was_written_and_the_password_is_encrypted_in_it(
    project: Path, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack_making.make(request_)

    monkeypatch.setenv("PULUMI_BACKEND_URL", request_.backend)
    read = settings.read("dev")
    assert (read.settings.domain, read.password) == ("dev.example.com", PASSWORD)
    written = (project / "Pulumi.dev.yaml").read_text()
    assert PASSWORD not in written
    config = yaml.safe_load(written)["config"]
    assert "secure" in config["ejemplo-django:registry"]["password"]
    assert config["pulumi:disable-default-providers"] == ["aws", "kubernetes"]


def test_a_stack_that_is_there_already_is_left_alone(project: Path, request_: Request) -> None:
    stack_making.make(request_)
    written = (project / "Pulumi.dev.yaml").read_text()

    with pytest.raises(OpsError, match="already"):
        stack_making.make(request_)

    assert (project / "Pulumi.dev.yaml").read_text() == written
    assert stacks(request_.backend, project) == ["dev"]


def test_a_setting_that_the_program_would_refuse_is_refused_by_its_reason(project: Path) -> None:
    with pytest.raises(OpsError, match=r"aws\.region=mars-1: found \"mars-1\", expected an AWS region"):
        settled(**{"aws.region": "mars-1"})


def test_what_the_program_misses_is_asked_for_until_it_takes_it(project: Path) -> None:
    answers = iter(["localhost", "dev.example.com", "registry", "registry.example.com", "ci"])
    asked = []

    def ask(key: str, expected: str, proposal: str) -> str:
        asked.append(key)
        return proposal or next(answers)

    said = interview.settle({"cluster.driver": "kops"}, name="dev", ask=ask, secret=lambda _: PASSWORD)

    assert asked[:3] == ["domain", "domain", "host"]
    assert [key for key in asked if key.startswith("registry.")] == [
        "registry.server",
        "registry.server",
        "registry.username",
    ]
    assert said.read.host == "ejemplo-django.dev.example.com"
    assert said.config["cluster"]["nodes"] == [{"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}]
    assert said.secrets == {"registry.password": PASSWORD}
    assert "password" not in said.config["registry"]


def test_where_a_secret_or_a_file_will_do_the_file_is_asked_for(project: Path) -> None:
    asked = []

    def ask(key: str, expected: str, proposal: str) -> str:
        asked.append(key)
        return "kubeconfig"

    given = {key: value for key, value in GIVEN.items() if key != "cluster.kubeconfigFile"}
    said = interview.settle(given, name="dev", ask=ask, secret=lambda _: PASSWORD)
    assert asked == ["cluster.kubeconfigFile"]
    assert said.config["cluster"]["kubeconfigFile"] == "kubeconfig"


def test_a_list_and_a_number_are_read_as_the_program_expects_them(project: Path) -> None:
    given = {"cluster.driver": "kops", "cluster.zones": "us-east-1a, us-east-1c", "app.replicas": "3"}
    given |= {"cluster.nodes[0].machineType": "t4g.small", "image.platform": "linux/arm64"}
    kept = {key: value for key, value in GIVEN.items() if not key.startswith("cluster.k")}
    said = interview.settle(kept | given, name="dev", ask=lambda _, __, proposal: proposal, secret=lambda _: PASSWORD)
    assert said.config["cluster"]["zones"] == ["us-east-1a", "us-east-1c"]
    assert said.read.app.replicas == 3
    assert said.config["cluster"]["nodes"][0]["machineType"] == "t4g.small"


def test_a_state_bucket_is_made_right_and_a_kms_key_encrypts(
    project: Path, request_: Request, s3: Any, over_tls: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = boto3.client("kms", region_name="us-east-1").create_key()["KeyMetadata"]["KeyId"]
    in_s3 = replace(
        request_,
        backend="s3://acme-state?region=us-east-1",
        secrets_provider=f"awskms://{key}?region=us-east-1",
        passphrase="",
    )
    stack_making.make(in_s3)

    assert state_bucket.faults("acme-state", Aws(region="us-east-1", endpoint=None, tags={})) == []
    monkeypatch.setenv("PULUMI_BACKEND_URL", in_s3.backend)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    assert settings.read("dev").password == PASSWORD


def test_a_bucket_of_the_users_own_that_is_not_right_is_refused_and_not_changed(
    project: Path, request_: Request, s3: Any
) -> None:
    s3.create_bucket(Bucket="acme-state")
    with pytest.raises(OpsError, match="not versioned, not encrypted, not private, open to plain http"):
        stack_making.make(replace(request_, backend="s3://acme-state"))
    assert "Status" not in s3.get_bucket_versioning(Bucket="acme-state")


def test_a_failure_takes_back_what_was_made(project: Path, request_: Request, s3: Any) -> None:
    # The bucket is closed to plain http, and moto speaks nothing else: pulumi is turned away from it.
    with pytest.raises(OpsError, match="403"):
        stack_making.make(replace(request_, backend="s3://acme-state"))
    assert s3.list_buckets()["Buckets"] == []
    assert sorted(each.name for each in project.iterdir()) == ["Pulumi.yaml", "app", "kubeconfig"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"given": ["domain=localhost"]}, 'domain=localhost: found "localhost", expected a DNS name'),
        ({"given": ["registry.password=x"]}, "every user of the machine could read it"),
        ({"given": ["domian=dev.example.com"]}, "unknown key, expected domain"),
        ({"given": ["domain"]}, "expected PATH=VALUE"),
        ({"stack": "de/v"}, "--stack: found 'de/v'"),
        ({}, "--set domain=VALUE is needed"),
    ],
)
def test_a_flag_is_checked_by_the_programs_own_rules(
    flags: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(os.devnull) as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        with pytest.raises(OpsError, match=message):
            new_stack.run(**{"stack": "new", **flags})


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (
            stack_making.backend_url,
            ["file://~", "s3://acme-state", "https://api.pulumi.com"],
            ["s3://A", "dev", "file://"],
        ),
        (
            partial(stack_making.secrets_provider, backend="file://~"),
            ["passphrase", "awskms://alias/x?region=us-east-1"],
            ["awskms://x", "gpg", "default"],
        ),
        (partial(stack_making.secrets_provider, backend="https://api.pulumi.com"), ["default", "passphrase"], ["x"]),
    ],
)
def test_backends_and_secrets_providers_are_told_from_what_is_none(
    check: Callable[[str], str | None], good: list[str], bad: list[str]
) -> None:
    assert [check(each) for each in good] == [None] * len(good)
    assert all(check(each) for each in bad)
