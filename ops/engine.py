"""The pulumi command line, as the operations use it: run in the project, its errors told in one paragraph."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OpsError

PROJECT = Path(__file__).resolve().parent.parent
"""The folder with Pulumi.yaml: the checkout that this package is part of."""

_ENVIRONMENT = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
"""Word of a newer version on standard error is no part of an error."""


def pulumi(
    *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None, stdin: str = ""
) -> str:
    """Run a command without questions and give what it printed.

    `folder` is another than the project's; `environment` is added to this process's. Raises OpsError when there is no
    pulumi, or when it failed.
    """
    command = ["pulumi", *arguments, "--non-interactive"]
    ended = _run(command, folder=folder, environment=environment, input=stdin, capture_output=True)
    if ended.returncode:
        said = "\n".join(line for line in str(ended.stderr).splitlines() if line.strip()) or str(ended.stdout)
        raise OpsError(f"`pulumi {' '.join(arguments)}` failed: {said.strip()}")
    return str(ended.stdout)


def watched(*arguments: str) -> None:
    """Run a command before the user's eyes. Raises OpsError when there is no pulumi, or when it failed."""
    sys.stdout.flush()  # what was printed before comes before
    ended = _run(["pulumi", *arguments])
    if ended.returncode:
        raise OpsError(
            f"`pulumi {' '.join(arguments)}` ended with {ended.returncode}; what it says above is the reason. "
            "Mend it and run the command again."
        )


def state(stack: str) -> list[dict[str, Any]]:
    """Every resource in the stack's state, secrets encrypted. Raises OpsError as `pulumi` does."""
    exported = json.loads(pulumi("stack", "export", "--stack", stack))
    resources: list[dict[str, Any]] = exported["deployment"].get("resources") or []
    return resources


def outputs(stack: str) -> dict[str, Any]:
    """The stack's outputs, secret ones as `[secret]`; none before its first `up`. Raises OpsError as `pulumi` does."""
    found: dict[str, Any] = json.loads(pulumi("stack", "output", "--json", "--stack", stack))
    return found


@cache
def project_name() -> str:
    """The name in Pulumi.yaml, with which every key of the configuration begins."""
    return str(yaml.safe_load((PROJECT / "Pulumi.yaml").read_text())["name"])


def as_json(*command: str, stack: str) -> tuple[str, str]:
    """Run a command on a stack with `--json`; give the JSON, empty if it never came to that, and what else was said.

    A command that fails is no error here: the JSON says so, or else the other text. Raises OpsError when there
    is no pulumi, or when it failed and left neither.
    """
    arguments = [*command, "--json", "--stack", stack, "--non-interactive", "--color", "never"]
    ended = _run(["pulumi", *arguments], capture_output=True)
    if ended.returncode and not ended.stdout.strip() and not ended.stderr.strip():
        raise OpsError(f"`pulumi {' '.join(arguments)}` ended with {ended.returncode} and said nothing.")
    return str(ended.stdout), str(ended.stderr)


def _run(
    command: list[str], *, folder: Path | None = None, environment: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    variables = os.environ | _ENVIRONMENT | dict(environment or {})
    try:
        return subprocess.run(command, cwd=folder or PROJECT, env=variables, text=True, check=False, **options)
    except OSError as error:
        raise OpsError(
            f"`pulumi` cannot be run: {error.strerror}. `make doctor` says which version to install, and how."
        ) from error
