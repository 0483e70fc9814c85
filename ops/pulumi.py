"""The pulumi on PATH: how it is run on a stack, and what of its JSON is read."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from ops import command
from ops.command import OpsError

Resource = dict[str, Any]
"""A resource as the state has it."""

# Of a newer version, and, where plugins are on PATH, of where each one is: neither is part of an error.
_ENVIRONMENT = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
_NOISE = re.compile(r"^ *warning: using pulumi-[a-z-]+ from \$PATH at .*\n?", re.MULTILINE)
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def run(*arguments: str, stdin: str = "") -> str:
    """Run a pulumi command without questions and give what it printed. Raises OpsError when it failed."""
    return command.run("pulumi", *arguments, "--non-interactive", stdin=stdin, environment=_ENVIRONMENT)


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a pulumi command and give how it ended, without colours; that it failed is no error here."""
    return command.ended("pulumi", *arguments, "--non-interactive", "--color=never", environment=_ENVIRONMENT)


def watched(*arguments: str) -> None:
    """Run a pulumi command before the user's eyes. Raises OpsError when it failed."""
    sys.stdout.flush()  # what was printed before comes before
    done = command.ended("pulumi", *arguments, environment=_ENVIRONMENT, shown=True)
    if done.returncode:
        raise OpsError(
            f"`pulumi {' '.join(arguments)}` failed.",
            f"It ended with {done.returncode}; the reason is above.",
            "Fix it, and run the command again: it goes on from there.",
        )


def said(text: str) -> str:
    """What pulumi wrote, without colours and without its notes on where plugins are."""
    return _NOISE.sub("", _ANSI.sub("", text)).strip()


def settings(stack: str, *, secrets: bool = False) -> dict[str, Any]:
    """The stack's configuration by the project's own keys, objects as objects; defaults of inner keys are not in it.

    Secrets are decrypted only where they are asked for. Raises OpsError when pulumi cannot give it.
    """
    shown = ["--show-secrets"] if secrets else []
    given: Mapping[str, Mapping[str, Any]] = json.loads(run("config", "--json", *shown, "--stack", stack))
    return {key.partition(":")[2]: each.get("objectValue", each.get("value")) for key, each in given.items()}


def state(stack: str) -> list[Resource]:
    """Every resource in the stack's state, secrets encrypted. Raises OpsError as `run` does."""
    exported = json.loads(run("stack", "export", "--stack", stack))
    return list(exported["deployment"].get("resources") or [])


def outputs(stack: str) -> dict[str, Any]:
    """The stack's outputs, secret ones as `[secret]`; none before its first `up`. Raises OpsError as `run` does."""
    return dict(json.loads(run("stack", "output", "--json", "--stack", stack)))


def deployed(stack: str) -> dict[str, Any]:
    """The outputs of a stack that is up. Raises OpsError when it is not."""
    found = outputs(stack)
    if "url" not in found:
        raise OpsError(
            f"The stack {stack} has no site.", "Its state has no output `url`.", f"Run `pulumi up --stack {stack}`."
        )
    return found
