"""`make new-stack` at a terminal, where nobody can be asked, and interrupted: the command itself, and its file."""

import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ops import new_stack
from ops.example import KUBECONFIG
from tests.e2e.stack import Stack

pytestmark = pytest.mark.timeout(60, func_only=True)

PASSWORD, PASSPHRASE = "hunter2-of-the-registry", "passphrase-of-the-tests"
SETTINGS = (
    "domain=dev.example.com",
    "cluster.driver=existing",
    "cluster.kubeconfigFile=kubeconfig",
    "registry.server=registry.example.com",
    "registry.username=ci",
    "registry.email=ci@example.com",
)


@pytest.fixture
def pulumi(stack: Stack) -> Path:
    """The sandbox's engine."""
    return stack.layout.bin / "pulumi"


@pytest.fixture
def checkout(stack: Stack, pulumi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program with its operations in another folder, and an environment in which no other backend is."""
    monkeypatch.setenv("PATH", f"{pulumi.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    copy = stack.copied(tmp_path / "program").folder
    shutil.copytree(stack.layout.checkout / "ops", copy / "ops", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "kubeconfig").write_text(KUBECONFIG)
    return copy


def stacks(checkout: Path) -> str:
    """The stacks at the backend, as pulumi lists them."""
    backend = os.environ | {"PULUMI_BACKEND_URL": f"file://{checkout.parent / 'states'}"}
    listing = ["pulumi", "stack", "ls", "--json"]
    return subprocess.run(listing, cwd=checkout, env=backend, check=True, capture_output=True, text=True).stdout


def command(checkout: Path, *flags: str) -> list[str]:
    """`python -m ops new-stack` for a stack `dev`."""
    backend = f"--backend=file://{checkout.parent / 'states'}"
    return [sys.executable, "-m", "ops", "new-stack", "--stack=dev", backend, *flags]


def test_ctrl_c_leaves_nothing(checkout: Path, pulumi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pressed when the stack is there and its secret is about to be set: by the pulumi that would set it.
    folder = checkout.parent / "path"
    folder.mkdir()
    script = f'#!/bin/sh\n[ "$1 $2" = "config set" ] && kill -INT $PPID\nexec {pulumi} "$@"\n'
    (folder / "pulumi").write_text(script)
    (folder / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv(new_stack.PASSWORD, PASSWORD)
    flags = [f"--set={each}" for each in SETTINGS]
    ended = subprocess.run(
        command(checkout, *flags), cwd=checkout, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )

    assert ended.returncode != 0
    states = checkout.parent / "states"
    assert not states.exists() or stacks(checkout).strip() == "[]"
    assert not list(checkout.glob("*Pulumi.dev*"))
    assert not list(checkout.glob(".Pulumi.dev*"))


def test_where_nobody_can_be_asked_the_proposals_make_a_cluster_that_the_program_accepts(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(new_stack.PASSWORD, PASSWORD)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    given = ["domain=dev.example.com", "cluster.driver=kops", "image.platform=linux/arm64", *SETTINGS[3:]]
    line = command(checkout, *(f"--set={each}" for each in given))
    ended = subprocess.run(line, cwd=checkout, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)

    assert ended.returncode == 0, ended.stderr.decode()
    cluster = yaml.safe_load((checkout / "Pulumi.dev.yaml").read_text())["config"]["ejemplo-django:cluster"]
    assert cluster["zones"] == ["eu-west-1a"]
    assert cluster["nodes"] == [{"name": "nodes", "machineType": "t4g.medium", "min": 2, "max": 4}]


ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def test_at_a_terminal_a_wrong_answer_is_asked_for_again(checkout: Path) -> None:
    line = command(checkout, *(f"--set={each}" for each in SETTINGS[1:]))
    with subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *line],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as running:
        try:
            said = _converse(
                running,
                [
                    ("domain, expected a DNS name", "localhost"),
                    ("domain, expected a DNS name", "dev.example.com"),
                    ("host [", ""),
                    ("aws.region, expected", ""),
                    ("image.platform, expected", "linux/arm64"),
                    ("registry.password: ", PASSWORD),
                    ("confirmation: ", PASSWORD),
                    ("cluster.name, expected", ""),
                    ("encrypts secrets", ""),
                ],
            )
        finally:
            running.kill()
    config = yaml.safe_load((checkout / "Pulumi.dev.yaml").read_text())["config"]
    assert config["ejemplo-django:domain"] == "dev.example.com"
    assert config["ejemplo-django:cluster"]["name"] == "useast1.dev.example.com"
    assert config["ejemplo-django:image"] == {"platform": "linux/arm64"}
    assert PASSWORD not in said


def _converse(running: "subprocess.Popen[bytes]", answers: list[tuple[str, str]]) -> str:
    """Type each answer once its question has been read; everything that was said, until the end."""
    assert running.stdin is not None
    assert running.stdout is not None
    said, seen = "", 0
    for question, answer in [*answers, ("Next:", "")]:
        deadline = time.monotonic() + 20
        while question not in said[seen:]:
            ready, _, _ = select.select([running.stdout], [], [], deadline - time.monotonic())
            more = os.read(running.stdout.fileno(), 4096).decode() if ready else ""
            assert more, f"not asked for {question!r}: {said}"
            said += more
        seen = len(said)
        running.stdin.write(f"{answer}\n".encode())
        running.stdin.flush()
    return said
