"""Recovery after a killed run of the real pulumi: the state, its lock, and the marks of resources.

tests/conformance/test_recover.py tests what it finds in AWS, and tests/crashes the whole procedure.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer

import ops.aws
from infra.ownership import NAME, OWNER
from ops import deploy, destroy, pulumi, recover, remains
from ops.command import OpsError
from ops.remains import Found
from tests.recorder import PROJECT
from tests.troubles import provoked

PROGRAM = """
import os
import threading
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        if os.path.exists("begun"):
            with open("begun", "w") as begun:  # a pipe: whoever reads it is waited for
                begun.write(" ")
            threading.Event().wait()
        return CreateResult("id", props)

class Thing(Resource):
    pass

Thing(Provider(), "thing", {})
"""
"""A program with one resource, whose creation never ends while the pipe `begun` exists."""


@contextmanager
def creating(project: Path) -> Iterator[psutil.Process]:
    """Run an `up` until it is creating something; at the end kill it and all its child processes."""
    os.mkfifo(project / "begun")
    engine = psutil.Popen(["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"], cwd=project)
    (project / "begun").read_text()
    try:
        yield engine
    finally:
        for each in (engine, *engine.children(recursive=True)):
            each.kill()
        engine.wait()
        (project / "begun").unlink()


@pytest.fixture
def killed(project: Path) -> Path:
    """Return the project after such an `up` was killed."""
    (project / "__main__.py").write_text(PROGRAM)
    with creating(project):
        pass
    return project


def pending() -> list[str]:
    found = pulumi.exported("dev")["deployment"].get("pending_operations") or ()
    return [each["resource"]["urn"].rpartition("::")[2] for each in found]


def test_what_was_not_made_is_forgotten_and_the_dead_lose_their_lock(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pending() == ["thing"]
    command = r"\.venv/bin/python -m ops recover --stack dev$"
    with pytest.raises(OpsError, match=command):
        deploy.run(stack="dev", digest="")
    with pytest.raises(OpsError, match=command):
        destroy.run(stack="dev", confirm="dev")
    recover.run(stack="dev", yes=True)
    assert pending() == []
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    capsys.readouterr()
    before = pulumi.exported("dev")
    recover.run(stack="dev")
    assert "nothing to do" in capsys.readouterr().out
    assert pulumi.exported("dev") == before


def test_who_still_works_is_let_be_unless_the_lock_is_to_be_released(killed: Path) -> None:
    pulumi.run("cancel", "--yes", "--stack", "dev")
    with creating(killed) as engine:
        with pytest.raises(OpsError, match=f"process {engine.pid}"):
            recover.run(stack="dev", yes=True)
        assert pending()
        recover.run(stack="dev", yes=True, unlock=True)
        assert not pending()


def test_another_program_with_the_number_of_the_dead_run_does_not_hold_its_lock(killed: Path) -> None:
    [lock] = killed.parent.glob("states/.pulumi/locks/**/*.json")
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"pid": os.getpid()}))
    recover.run(stack="dev", yes=True)
    assert not pending()


def test_a_preview_that_fails_is_told_once_the_pending_operations_are_settled(killed: Path) -> None:
    (killed / "__main__.py").write_text("import pulumi\nraise pulumi.RunError('aws.tags: found nothing')")
    with pytest.raises(OpsError, match="found nothing"):
        recover.run(stack="dev", yes=True)
    assert not pending()


def test_a_state_that_a_killed_write_made_unreadable_is_read_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    [attributes] = project.parent.glob("states/.pulumi/stacks/**/dev.json.attrs")
    attributes.write_text("")
    with pytest.raises(OpsError) as unreadable:
        pulumi.state("dev")
    provoked("failed to load checkpoint: EOF", unreadable.value.why)
    recover.run(stack="dev")
    assert f"deleted {attributes}" in capsys.readouterr().out
    assert pulumi.state("dev")


def test_the_lock_of_another_machine_is_released_when_that_is_asked_for(killed: Path) -> None:
    [lock] = killed.parent.glob("states/.pulumi/locks/**/*.json")
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"hostname": "elsewhere"}))
    with pytest.raises(OpsError, match=r"--unlock$"):
        recover.run(stack="dev", yes=True)
    assert pending()
    recover.run(stack="dev", yes=True, unlock=True)
    assert not pending()


def test_a_state_that_changed_while_it_was_asked_is_not_written_over(
    killed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi.run("cancel", "--yes", "--stack", "dev")

    def confirm(_: str) -> bool:
        pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
        return True

    monkeypatch.setattr(typer, "confirm", confirm)
    with pytest.raises(OpsError, match="meanwhile"):
        recover.run(stack="dev")
    assert "thing" in {each["urn"].rpartition("::")[2] for each in pulumi.state("dev")}


PROVIDER = {"urn": "urn:pulumi:dev::p::pulumi:providers:aws::aws", "id": "1", "type": "pulumi:providers:aws"}
MARK = {OWNER: "p/dev", NAME: "dev.example.com/web"}


@pytest.mark.parametrize(
    ("tags", "resources", "there"),
    [
        (MARK, [PROVIDER], lambda arn: Found(id=arn, others=[])),
        (MARK, [], lambda arn: Found(others=[arn])),
        (MARK | {OWNER: "p/other"}, [PROVIDER], None),
        (MARK | {NAME: "dev.example.com/other"}, [PROVIDER], None),
        (MARK | {NAME: "shop.example.com/web"}, [PROVIDER], None),
        ({}, [PROVIDER], None),
    ],
    ids=["its own", "after a destroy", "another stack's", "another resource's", "another copy's", "somebody else's"],
)
@pytest.mark.usefixtures("aws")
def test_only_what_bears_the_mark_is_found(
    tags: dict[str, str], resources: list[dict[str, Any]], there: Callable[[str], Found] | None
) -> None:
    settings = pulumi.settings("dev")
    arn = ops.aws.client("acm", settings).request_certificate(
        DomainName="a.example.test",
        Tags=[{"Key": "of", "Value": "all"}, *({"Key": k, "Value": v} for k, v in tags.items())],
    )["CertificateArn"]
    urn = "urn:pulumi:dev::p::aws:acm/certificate:Certificate::web"
    pending = {
        "urn": urn,
        "custom": True,
        "type": "aws:acm/certificate:Certificate",
        "inputs": {"domainName": "a.example.test"},
        "provider": f"{PROVIDER['urn']}::1",
    }
    operations = [{"type": "creating", "resource": pending}]
    found = remains.find("dev", {"resources": resources}, operations, settings)
    assert found == ({urn: there(arn)} if there else {})


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: u, user: {token: expired}}]
"""


@pytest.mark.parametrize("there", [True, False], ids=["whose cluster does not answer", "that a destroy deleted"])
def test_of_an_object_of_a_provider_only_the_record_goes(
    project: Path, capsys: pytest.CaptureFixture[str], *, there: bool
) -> None:
    type_ = "pulumi:providers:kubernetes"
    provider = {"urn": f"urn:pulumi:dev::{PROJECT}::{type_}::cluster", "id": "1", "type": type_, "custom": True}
    deployment = {"resources": [provider | {"inputs": {"kubeconfig": KUBECONFIG}}] if there else []}
    pulumi.run("stack", "import", "--stack", "dev", stdin=json.dumps({"version": 3, "deployment": deployment}))
    secret = {
        "urn": f"urn:pulumi:dev::{PROJECT}::kubernetes:core/v1:Secret::regcred",
        "custom": True,
        "type": "kubernetes:core/v1:Secret",
        "inputs": {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "shop", "name": "regcred"}},
        "provider": f"{provider['urn']}::1",
    }
    operations = [{"type": "creating", "resource": secret}]
    assert remains.find("dev", deployment, operations, pulumi.settings("dev")) == {}
    said = capsys.readouterr().out
    assert "127.0.0.1:9" in said if there else not said


def entry(**more: Any) -> dict[str, Any]:
    return {"urn": "urn:a", "custom": True, "type": "aws:s3/bucket:Bucket", "inputs": {}, **more}


def test_an_object_is_taken_over_by_the_name_that_it_has() -> None:
    job = entry(type="kubernetes:batch/v1:Job", inputs={"metadata": {"name": "release-of-the-preview", "labels": {}}})
    doubt = recover.Doubt(
        exported={"deployment": {}},
        operations=[{"type": "creating", "resource": job}],
        found={"urn:a": Found(id="shop/release-12345678")},
    )
    [taken] = recover.recovered(doubt)["resources"]
    assert taken["inputs"] == {"metadata": {"name": "release-12345678", "labels": {}}}


OLD = entry(id="old", outputs={"a": 1})
NEW = entry(id="new", outputs={})


@pytest.mark.parametrize(
    ("there", "operation", "found", "resources"),
    [
        ([], "creating", "new", [NEW]),
        ([], "creating", "", []),
        ([OLD], "updating", "new", [OLD]),
        ([OLD], "deleting", "new", [OLD]),
        ([OLD], "creating", "new", [NEW, OLD | {"delete": True}]),
        ([OLD | {"pendingReplacement": True}], "creating", "new", [NEW]),
        ([OLD | {"delete": True}], "creating", "new", [NEW, OLD | {"delete": True}]),
    ],
    ids=["new", "not made", "update", "delete", "replacement", "deleted before", "waits for its deletion"],
)
def test_what_was_found_takes_its_place(
    there: list[dict[str, Any]], operation: str, found: str, resources: list[dict[str, Any]]
) -> None:
    doubt = recover.Doubt(
        exported={"deployment": {"resources": there}},
        operations=[{"type": operation, "resource": entry()}],
        found={"urn:a": Found(id=found)} if found else {},
    )
    assert recover.recovered(doubt) == {"resources": resources}
