"""The doctor names each fault and the command that fixes it. The faults are real, except docker's and an old pulumi."""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest
import requests
import typer

from ops import doctor, pulumi
from ops.doctor import Result
from tests.ops.conftest import Double
from tests.troubles import provoked

PASSWORD = "correct horse"


def found(stack: str = "dev") -> dict[str, Result]:
    return {each.check: each for each in doctor.examine(stack)}


@pytest.fixture
def docker(project: Path, double: Callable[[str], Double]) -> Double:
    """Put a double on PATH whose daemon has the usual platform and accepts every login; configure a registry."""
    made = double("docker")
    made.answer("28.0 linux/amd64")
    for key, value in {"server": "registry.example.com", "username": "ci", "passwordFile": "password"}.items():
        pulumi.run("config", "set", "--stack", "dev", "--path", f"registry.{key}", value, "--plaintext")
    (project / "password").write_text(f"{PASSWORD}\n")
    return made


def test_nothing_is_wrong_with_a_stack_that_can_be_brought_up(
    aws: str, docker: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    doctor.run("dev")
    said = capsys.readouterr().out
    assert said.endswith("Nothing to fix.\n")
    looked_at = "pulumi plugins configuration Docker registry kubectl AWS preview"
    assert [line.split()[1] for line in said.splitlines()[:-1]] == looked_at.split()
    [login] = [each for each in docker.calls() if "login" in each["arguments"]]
    assert login["stdin"] == PASSWORD
    assert PASSWORD not in login["arguments"]
    assert not Path(login["arguments"][1]).exists(), "the login is kept"


def test_every_fault_is_told_with_its_fix_and_no_secret(
    aws: str, docker: Double, project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.answer("Error response from daemon: login attempt failed: 401 Unauthorized", code=1)
    monkeypatch.setenv("DOCKER_HOST", "unix:///none.sock")
    pulumi.run("config", "set", "--stack", "dev", "--path", "cluster.driver", "kops")
    requests.post(f"{aws}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()
    try:
        with pytest.raises(typer.Exit):
            doctor.run("dev")
        findings = found()
    finally:
        requests.post(f"{aws}/moto-api/reset-auth", data="inf", timeout=5).raise_for_status()
    assert findings["Docker"].fix == "unset DOCKER_HOST"
    assert findings["registry"].fix == "pulumi config set --secret --path registry.password --stack dev"
    assert findings["kops"].fix.startswith("install it: https://")
    assert findings["AWS"].fix == "aws sso login"
    provoked("The security token included in the request is invalid", findings["AWS"].found)
    assert "preview" not in findings
    said = capsys.readouterr().out
    assert said.endswith("4 to fix.\n")
    assert PASSWORD not in said


def test_credentials_of_another_account_than_the_stacks_are_told(aws: str) -> None:
    where = pulumi.settings("dev")["aws"]
    mine = doctor.credentials({"aws": where}).found.split()[1].strip(",")
    assert doctor.credentials({"aws": {**where, "account": mine}}).fix == ""
    assert "000000000000" in doctor.credentials({"aws": {**where, "account": "000000000000"}}).fix


def test_what_the_program_refuses_is_told_in_its_own_words(aws: str, docker: Double, project: Path) -> None:
    (project / "__main__.py").write_text("import pulumi\nraise pulumi.RunError('aws.tags: found nothing')")
    finding = found()["preview"]
    assert "aws.tags: found nothing" in finding.found
    assert finding.fix == "do as it says, then: pulumi preview --stack dev"


def test_an_unreadable_state_is_mended_and_told(project: Path) -> None:
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    [attributes] = project.parent.glob("states/.pulumi/stacks/**/dev.json.attrs")
    attributes.write_text("")
    findings = {each.check: each for each in islice(doctor.examine("dev"), 4)}
    assert str(attributes) in findings["state"].found
    assert not findings["configuration"].fix


def test_a_daemon_of_another_platform_is_named_with_what_emulates_it(docker: Double) -> None:
    finding = doctor.docker({"image": {"platform": "linux/arm64"}})
    assert finding.fix == "docker run --privileged --rm tonistiigi/binfmt --install arm64"


def test_why_there_is_no_configuration_is_told_apart(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = found("nowhere")["configuration"]
    assert nowhere.fix.endswith("Pulumi.nowhere.yaml && pulumi stack init nowhere")
    provoked("no stack named", nowhere.found)
    pulumi.run("config", "set", "--stack", "dev", "--secret", "secret", "x")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    other = found()["configuration"]
    assert "PULUMI_CONFIG_PASSPHRASE" in other.fix
    provoked("incorrect passphrase", other.found)
    monkeypatch.delenv("PULUMI_BACKEND_URL")
    assert found()["configuration"].fix == "pulumi login"


def test_no_pulumi_an_old_one_and_no_plugin_are_named(
    project: Path, double: Callable[[str], Double], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = [each for each in os.environ["PATH"].split(":") if not Path(each, "pulumi").exists()]
    old = double("pulumi")
    old.answer("v3.1.0")
    assert "get.pulumi.com | sh -s -- --version" in found()["pulumi"].fix
    (old.folder / "pulumi").unlink()
    monkeypatch.setenv("PATH", ":".join(missing))
    assert list(found()) == ["pulumi"]
    provoked("PATH has no `pulumi` that runs", found()["pulumi"].found)


def test_a_daemon_that_only_the_docker_context_leads_to_is_named_with_what_the_build_needs(
    docker: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker.answer("unix:///home/me/.colima/default/docker.sock")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert doctor.docker({}).fix == "export DOCKER_HOST=unix:///home/me/.colima/default/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "unix:///home/me/.colima/default/docker.sock")
    assert "DOCKER_HOST" not in doctor.docker({}).fix
