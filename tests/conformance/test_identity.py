"""A stack stays in its account, region and cluster, whatever settings are edited and whatever login is used."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from ops import new_cluster
from ops.command import OpsError
from tests.aws_server import aws_server
from tests.conformance import api_server, existing as clusters, stack as stacks
from tests.conformance.api_server import ApiServer
from tests.conformance.existing import Existing
from tests.conformance.stack import WORK, Stack
from tests.conformance.world import work
from tests.example import KUBECONFIG
from tests.troubles import provoked

_PROGRAM = """
import json
import os

from infra import config, providers
from infra.guards.identity import ClusterIdentity
from infra.zone import Zone

settings = config.load()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
if "IDENTITY" in os.environ:
    ClusterIdentity("cluster", identity=json.loads(os.environ["IDENTITY"]))
Zone("zone", domain=settings.domain, settings=settings.zone, protect=settings.protect, opts=in_aws)
"""
_IDENTITY = {"cluster.driver": "eks", "cluster.name": "one", "cluster.serviceCidr": "172.20.0.0/16"}
_ELSEWHERE = "000000000000"
"""An account other than moto's own."""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with aws_server() as endpoint:
        made = stacks.project(tmp_path, endpoint=endpoint, program=_PROGRAM)
        (made.folder / "kubeconfig").write_text(KUBECONFIG)
        made.configure(driver="existing", name="one", kubeconfigFile="kubeconfig")
        made.run("config", "set", "--path", "protect", "false")
        yield identified(made)
        requests.post(f"{endpoint}/moto-api/reset", timeout=10).raise_for_status()


def identified(stack: Stack, **changes: str) -> Stack:
    """Return the stack with these values in the identity of its cluster."""
    identity = {**_IDENTITY, **{f"cluster.{key}": value for key, value in changes.items()}}
    return replace(stack, environment={**stack.environment, "IDENTITY": json.dumps(identity)})


def of_account(stack: Stack, account: str) -> Stack:
    """Return the stack with the login of a role in that account."""
    sts = boto3.client("sts", region_name="us-east-1", endpoint_url=stack.endpoint)
    role = f"arn:aws:iam::{account}:role/deployer"
    given: Mapping[str, Any] = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    login = {
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }
    return replace(stack, environment={**stack.environment, **login})


def test_credentials_of_another_account_change_nothing_and_forget_nothing(stack: Stack) -> None:
    account = boto3.client("sts", region_name="us-east-1", endpoint_url=stack.endpoint).get_caller_identity()["Account"]
    stack.run("config", "set", "--path", "--type", "string", "aws.account", account)
    stack.up()
    assert "Zone" in stack.state()
    elsewhere = of_account(stack, _ELSEWHERE)
    elsewhere.run("config", "set", "--path", "--type", "string", "aws.account", _ELSEWHERE)
    assert f"aws.account: found {_ELSEWHERE}" in elsewhere.run("preview", code=255)
    stack.run("config", "set", "--path", "--type", "string", "aws.account", account)
    for command in (("up", "--yes"), ("refresh", "--yes"), ("destroy", "--yes")):
        said = elsewhere.run(*command, code=255)
        provoked("AWS account ID not allowed", said)
        assert _ELSEWHERE in said
        assert "Zone" in stack.state()
    assert "Zone zone-zone" not in stack.plan()


def test_another_region_is_refused_by_its_key(stack: Stack) -> None:
    stack.up()
    stack.run("config", "set", "--path", "aws.region", "eu-west-1")
    for command in (("preview",), ("up", "--yes", "--skip-preview"), ("up", "--yes", "--refresh")):
        provoked("aws.region: found …, where all of this stack is", stack.run(*command, code=255))
        assert "Zone" in stack.state()
    stack.run("config", "set", "--path", "aws.region", "us-east-1")
    assert stack.plan() == {}


@pytest.mark.parametrize(("key", "value"), [("driver", "kops"), ("name", "two"), ("serviceCidr", "10.100.0.0/16")])
def test_what_would_make_another_cluster_is_refused_by_its_key(stack: Stack, key: str, value: str) -> None:
    stack.up()
    other = identified(stack, **{key: value})
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        said = other.run(*command, code=255)
        assert f"cluster.{key}: found {value}" in said
        provoked("cluster.…: found …, with which the cluster of this stack was made", said)
    assert stack.plan() == {}


def test_a_cluster_that_was_made_before_its_identity_was_kept_is_known_from_then_on(stack: Stack) -> None:
    replace(stack, environment={key: each for key, each in stack.environment.items() if key != "IDENTITY"}).up()
    stack.up()
    assert "cluster.name: found two" in identified(stack, name="two").run("preview", code=255)


# In the cluster.


@pytest.fixture
def existing(tmp_path: Path) -> Iterator[Existing]:
    with clusters.existing(tmp_path) as made:
        yield made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[ApiServer]:
    """Run the API server of a second cluster."""
    with api_server.running(tmp_path / "other") as api:
        yield api


def test_the_app_moves_with_the_name_of_another_cluster_and_not_without(existing: Existing, other: ApiServer) -> None:
    """Check both cases in one test, since a cluster starts slowly: refused under the same name, moved under another."""
    stack, owner = existing.stack, existing.stack.folder / "kubeconfig"
    stack.up()
    before = work(existing)
    owner.write_text(other.kubeconfig())
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        said = stack.run(*command, code=255)
        provoked("cluster: another one answers under the name", said)
        assert "ops recover --stack dev --new-cluster" in said
    assert (work(existing), existing.there(other)) == (before, False)
    existing.renew()
    stack.configure(name="renamed.example.com")
    assert "cluster.name: found renamed.example.com" in stack.run("preview", code=255)
    assert (work(existing), existing.there(other)) == (before, False)
    owner.write_text(other.kubeconfig())
    stack.up()
    assert (work(existing), existing.there(other)) == (None, True)
    stack.up("--expect-no-changes")


def test_in_a_cluster_that_was_made_anew_all_of_it_is_made_again(existing: Existing, other: ApiServer) -> None:
    stack = existing.stack
    stack.up()
    exported = json.loads(stack.run("stack", "export"))
    exported["deployment"], names = new_cluster.forgotten(exported["deployment"])
    assert names == [WORK]
    (stack.folder / "state.json").write_text(json.dumps(exported))
    stack.run("stack", "import", "--file", "state.json")
    (stack.folder / "kubeconfig").write_text(other.kubeconfig())
    stack.up()
    assert existing.there(other)
    stack.up("--expect-no-changes")
    with pytest.raises(OpsError):
        new_cluster.forgotten({"resources": []})
