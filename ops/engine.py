"""The pulumi command line, as the operations use it: run in the project, its errors told in one paragraph."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ops.errors import OpsError

PROJECT = Path(__file__).resolve().parent.parent
"""The folder with Pulumi.yaml: the checkout that this package is part of."""

_ENVIRONMENT = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
"""Word of a newer version on standard error is no part of an error."""


def pulumi(
    *arguments: str,
    project: Path = PROJECT,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
) -> str:
    """Run a command without questions and give what it printed.

    `environment` is added to this process's. Raises OpsError when there is no pulumi, or when it failed.
    """
    command = ["pulumi", *arguments, "--non-interactive"]
    ended = _run(command, project, environment, input=stdin, capture_output=True)
    if ended.returncode:
        said = "\n".join(line for line in str(ended.stderr).splitlines() if line.strip()) or str(ended.stdout)
        raise OpsError(f"`pulumi {' '.join(arguments)}` failed: {said.strip()}")
    return str(ended.stdout)


def watched(*arguments: str, project: Path = PROJECT) -> None:
    """Run a command before the user's eyes. Raises OpsError when there is no pulumi, or when it failed."""
    sys.stdout.flush()  # what was printed before comes before
    ended = _run(["pulumi", *arguments], project, None)
    if ended.returncode:
        raise OpsError(
            f"`pulumi {' '.join(arguments)}` ended with {ended.returncode}; what it says above is the reason. "
            "Mend it and run the command again."
        )


def state(stack: str, *, project: Path = PROJECT) -> list[dict[str, Any]]:
    """Every resource in the stack's state, secrets encrypted. Raises OpsError as `pulumi` does."""
    exported = json.loads(pulumi("stack", "export", "--stack", stack, project=project))
    resources: list[dict[str, Any]] = exported["deployment"].get("resources") or []
    return resources


def outputs(stack: str, *, project: Path = PROJECT) -> dict[str, Any]:
    """The stack's outputs, secret ones as `[secret]`; none before its first `up`. Raises OpsError as `pulumi` does."""
    found: dict[str, Any] = json.loads(pulumi("stack", "output", "--json", "--stack", stack, project=project))
    return found


def project_name(project: Path = PROJECT) -> str:
    """The name in Pulumi.yaml, with which every key of the configuration begins."""
    return str(yaml.safe_load((project / "Pulumi.yaml").read_text())["name"])


def _run(
    command: list[str], project: Path, environment: Mapping[str, str] | None, **options: Any
) -> subprocess.CompletedProcess[str]:
    variables = os.environ | _ENVIRONMENT | dict(environment or {})
    try:
        return subprocess.run(command, cwd=project, env=variables, text=True, check=False, **options)
    except OSError as error:
        raise OpsError(
            f"`pulumi` cannot be run: {error.strerror}. `make doctor` says which version to install, and how."
        ) from error
