"""What no edit of a workflow may break. actionlint checks that it is valid (`make check`)."""

import json
import re
import shlex
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from ops.__main__ import application
from ops.command import PROJECT

FILES = sorted((PROJECT / ".github").glob("*/**/*.yml"))
WORKFLOWS = sorted((PROJECT / ".github/workflows").glob("*.yml"))
COMMANDS: Any = typer.main.get_command(application())


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text())
    return found


def triggers(workflow: dict[Any, Any]) -> set[str]:
    return set(workflow[True])  # YAML 1.1 reads `on` as true


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path: Path) -> None:
    for each in re.findall(r"uses: (.+)", path.read_text()):
        assert each.startswith("./") or re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each), each


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_job_has_the_rights_that_it_names_and_no_other(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        assert "secrets.KUBECONFIG" not in yaml.safe_dump(job)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_runs_with_secrets_for_a_fork(path: Path) -> None:
    workflow = read(path)
    assert not triggers(workflow) & {"pull_request_target", "workflow_run"}
    if "pull_request" not in triggers(workflow):
        return
    for job in workflow["jobs"].values():
        trusted = "secrets." in yaml.safe_dump(job) or "write" in job["permissions"].values()
        own = "github.event.pull_request.head.repo.full_name == github.repository"
        assert not trusted or own in job["if"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_aws_is_never_entered_with_a_key(path: Path) -> None:
    assert not re.search(r"aws[-_](secret[-_])?access[-_]key", path.read_text(), re.IGNORECASE)


def test_main_alone_is_deployed_after_its_check_and_an_approval_that_holds_no_lock() -> None:
    stack = read(PROJECT / ".github/workflows/deploy.yml")["jobs"]["stack"]
    assert stack["needs"] == "check"
    assert "github.ref == 'refs/heads/main'" in stack["if"]
    workflow = read(PROJECT / ".github/workflows/deploy-stack.yml")
    approve, deploy = workflow["jobs"]["approve"], workflow["jobs"]["deploy"]
    assert "concurrency" not in workflow.keys() | approve.keys()
    assert approve["environment"] == "${{ inputs.stack }}-approval"
    assert deploy["needs"] == "approve"
    assert deploy["environment"] == "${{ inputs.stack }}"
    assert deploy["concurrency"]["cancel-in-progress"] is False


def test_the_embedded_cloud_sees_the_control_groups_of_the_machine_and_the_merge_queue_is_checked() -> None:
    workflow = read(PROJECT / ".github/workflows/check.yml")
    assert "--cgroupns=host" in workflow["jobs"]["test"]["container"]["options"]
    assert {"pull_request", "merge_group", "workflow_call"} == triggers(workflow)


def test_the_dev_container_is_that_of_the_check() -> None:
    text = (PROJECT / ".devcontainer/devcontainer.json").read_text()
    given = json.loads(re.sub(r"^ *//.*$", "", text, flags=re.MULTILINE))
    job = read(PROJECT / ".github/workflows/check.yml")["jobs"]["test"]
    assert given["image"] == job["container"]["image"]
    assert given["runArgs"] == job["container"]["options"].split()
    install = job["steps"][0]["run"].split("install ")[1].split()
    assert set(install) <= set(given["onCreateCommand"].split())
    [go] = [step for step in job["steps"] if "setup-go" in step.get("uses", "")]
    assert [each["version"] for each in given["features"].values()] == [go["with"]["go-version"]]


@pytest.mark.parametrize(
    ("ecosystem", "file"),
    [("pip", "requirements.txt"), ("gomod", "go.mod"), ("docker", "Dockerfile"), ("github-actions", "action.yml")],
)
def test_every_pin_is_renewed(ecosystem: str, file: str) -> None:
    updates = read(PROJECT / ".github/dependabot.yml")["updates"]
    [folders] = [each["directories"] for each in updates if each["package-ecosystem"] == ecosystem]
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    pinned = {f"/{Path(each).parent}".rstrip(".") for each in listed.split() if Path(each).name == file}
    assert pinned
    assert [each for each in pinned if not any(fnmatch(each, folder) for folder in folders)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_runs_is_there_with_the_options_that_it_gives(path: Path) -> None:
    steps = [step for job in read(path)["jobs"].values() for step in job.get("steps", ())]
    for line in "\n".join(step.get("run", "") for step in steps).splitlines():
        if "python -m ops " in line:
            name, *arguments = shlex.split(line.partition("python -m ops ")[2])
            options = {option for each in COMMANDS.commands[name].params for option in each.opts}
            assert {each for each in arguments if each.startswith("--")} <= options
        if line.startswith("make "):
            assert re.search(rf"^{line.split()[1]}:", (PROJECT / "Makefile").read_text(), re.MULTILINE)


def test_the_engine_of_the_workflows_is_that_of_the_program() -> None:
    action = (PROJECT / ".github/actions/stack/action.yml").read_text()
    (version,) = re.findall(r"pulumi-version: (\S+)", action)
    assert f"pulumi=={version}\n" in (PROJECT / "requirements.txt").read_text()
