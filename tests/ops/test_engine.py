"""Commands that fail or are cancelled: the engine's output is unchanged, and the reason is known in every case."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops import engine, pulumi
from ops.command import OpsError


def test_the_reason_of_a_resource_is_the_last_that_is_said(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    program = (project / "__main__.py").read_text()
    broken = program.replace('return CreateResult("id", props)', 'raise Exception("AccessDenied: not you")')
    (project / "__main__.py").write_text(broken)
    with pytest.raises(OpsError) as failed:
        pulumi.watched("up", "--yes", "--skip-preview", "--stack", "dev", "--color=always")
    _, why, _ = str(failed.value).splitlines()
    assert why.startswith("thing: ")
    assert why.endswith("AccessDenied: not you")
    assert "Duration:" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(("--stack", "dev"), "no good"), (("--stack", "nowhere"), "no stack named 'nowhere' found")],
)
def test_so_is_that_of_the_program_and_that_of_the_engine_itself(
    project: Path, arguments: tuple[str, ...], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "__main__.py").write_text("import pulumi\nraise pulumi.RunError('no good')")
    ended = engine.run(("pulumi", "preview", "--non-interactive", *arguments), folder=project, environment=os.environ)
    assert ended.why == reason
    said = capfd.readouterr()
    assert reason in said.out + said.err


CANCELLED = """
import os, signal, sys
from ops import engine

signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
command = ("pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "dev")
engine.run(command, folder=os.getcwd(), environment=os.environ)
"""
"""Runs `up` as a workflow's command does: it exits on SIGTERM."""


def test_told_to_end_a_command_lets_the_engine_finish_what_it_has_begun(project: Path) -> None:
    begun, goes_on = project / "begun", project / "goes-on"
    for each in (begun, goes_on):
        os.mkfifo(each)
    program = (project / "__main__.py").read_text()
    waits = f"open({str(begun)!r}, 'w').close(); open({str(goes_on)!r}).close(); return CreateResult"
    changes = {"return CreateResult": waits, 'Thing(Provider(), "thing"': 'first = Thing(Provider(), "thing"'}
    for old, new in changes.items():
        program = program.replace(old, new)
    later = "Thing(Provider(), 'later', {'replicas': '2'}, pulumi.ResourceOptions(depends_on=[first]))"
    (project / "__main__.py").write_text(f"{program}\n{later}\n")
    with subprocess.Popen([sys.executable, "-c", CANCELLED], cwd=project, stdout=subprocess.PIPE, text=True) as process:
        begun.open().close()
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert any("cancelling" in line for line in process.stdout)
        goes_on.open("w").close()
        process.stdout.read()  # the command's output needs a reader until it ends
    assert process.returncode == 143
    kept = [each["urn"].rpartition("::")[2] for each in pulumi.state("dev")]
    assert "thing" in kept
    assert "later" not in kept
    exported = json.loads(pulumi.run("stack", "export", "--stack", "dev"))
    assert "pending_operations" not in exported["deployment"]
