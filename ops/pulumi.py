"""Run the pulumi on PATH on a stack, and read its JSON."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from ops import command, engine
from ops.command import OpsError

Resource = dict[str, Any]
"""A resource in the state."""

# Leave out the notes on a newer version and on the paths of plugins: neither is part of an error.
_ENVIRONMENT = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
_NOISE = re.compile(r"^ *warning: using pulumi-[a-z-]+ from \$PATH at .*\n?", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def run(*arguments: str, stdin: str = "") -> str:
    """Run a non-interactive pulumi command and return its output. Raises OpsError when it fails."""
    return command.run("pulumi", *arguments, "--non-interactive", stdin=stdin, environment=_ENVIRONMENT)


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a pulumi command without colours and return the completed process, even when it failed."""
    return command.ended("pulumi", *arguments, "--non-interactive", "--color=never", environment=_ENVIRONMENT)


def watched(*arguments: str) -> None:
    """Run a pulumi command on the user's terminal. Raises OpsError, with the engine's reason, when it fails."""
    sys.stdout.flush()  # keep the order of the output
    if why := reported(*arguments, shown=True).why:
        todo = "Fix the error and run the command again: it continues from there."
        raise OpsError(f"`pulumi {' '.join(arguments)}` failed.", why, todo)


def reported(*arguments: str, shown: bool) -> engine.Ended:
    """Run a pulumi command that takes `--event-log` and return its result. Raises OpsError without a pulumi."""
    quiet = () if shown else ("--non-interactive", "--color=never")
    try:
        return engine.run(
            ("pulumi", *arguments, *quiet), folder=command.PROJECT, environment=os.environ | _ENVIRONMENT, shown=shown
        )
    except OSError as error:
        raise command.not_there("pulumi", error) from error


def said(text: str) -> str:
    """Return pulumi's output without colours and without its notes on the paths of plugins."""
    return _NOISE.sub("", _ANSI.sub("", text)).strip()


def repaired() -> list[str]:
    """Delete the empty files that make the backend unreadable (`engine.repaired`), and return a sentence on each."""
    here = ended("whoami", "--json")
    found = engine.repaired(json.loads(here.stdout)["url"]) if here.returncode == 0 else []
    return [f"deleted {each}: empty, from a pulumi that was killed; the state is now readable" for each in found]


def settings(stack: str, *, secrets: bool = False) -> dict[str, Any]:
    """Return the stack's configuration by the project's keys, without defaults of inner keys.

    With `secrets` they are decrypted. Raises OpsError as `run` does.
    """
    shown = ["--show-secrets"] if secrets else []
    given: Mapping[str, Mapping[str, Any]] = json.loads(run("config", "--json", *shown, "--stack", stack))
    return {key.partition(":")[2]: each.get("objectValue", each.get("value")) for key, each in given.items()}


def whole_name(stack: str) -> str:
    """Return the stack's name as `<project>/<stack>`, the value of the program's tag on its resources."""
    project = yaml.safe_load((command.PROJECT / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
    return f"{project}/{stack.rpartition('/')[2]}"


def exported(stack: str, *, secrets: bool = False) -> dict[str, Any]:
    """Return the stack's state, the JSON of `pulumi stack export`. Raises OpsError as `run` does.

    With `secrets` they are decrypted.
    """
    shown = ["--show-secrets"] if secrets else []
    return dict(json.loads(run("stack", "export", *shown, "--stack", stack)))


def state(stack: str) -> list[Resource]:
    """Return the resources in the stack's state, secrets encrypted. Raises OpsError as `run` does."""
    return list(exported(stack)["deployment"].get("resources") or [])


def outputs(stack: str) -> dict[str, Any]:
    """Return the stack's outputs, secrets as `[secret]`; none before the first `up`. Raises OpsError as `run` does."""
    return dict(json.loads(run("stack", "output", "--json", "--stack", stack)))


def deployed(stack: str) -> dict[str, Any]:
    """Return the outputs of a deployed stack. Raises OpsError when it has no site."""
    found = outputs(stack)
    if "url" not in found:
        raise OpsError(
            f"The stack {stack} has no site.",
            "Its state has no output `url`.",
            f"Run `pulumi up --refresh --stack {stack}`.",
        )
    return found
