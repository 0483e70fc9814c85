"""How a tool of the user's is run, and the one error that a command ends with."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
"""The folder with Pulumi.yaml: the checkout that this package is part of."""


class OpsError(Exception):
    """Something the user can act on, in three lines: what failed, why, what to do."""

    def __init__(self, failed: str, why: str, todo: str) -> None:
        """Each is a sentence or two; `why` may be the several lines that a tool wrote."""
        super().__init__("\n".join((failed, why, todo)))
        self.why = why


def ended(
    *command: str, stdin: str = "", environment: Mapping[str, str] | None = None, shown: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a tool in the project and give how it ended: that it failed is no error here.

    `environment` is added to this process's. With `shown` the user sees what it writes, and it is not captured. Raises
    OpsError when there is no such tool.
    """
    options: dict[str, Any] = {} if shown else {"capture_output": True, "input": stdin}
    variables = os.environ | dict(environment or {})
    try:
        return subprocess.run(command, cwd=PROJECT, env=variables, text=True, check=False, **options)
    except OSError as error:
        raise OpsError(
            f"`{' '.join(command[:2])}` could not be run.",
            f"There is no `{command[0]}` that runs on PATH: {error.strerror}.",
            f"Install {command[0]}, or put it on PATH.",
        ) from error


def run(*command: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Run a tool in the project and give what it printed. Raises OpsError when there is none, or when it failed."""
    done = ended(*command, stdin=stdin, environment=environment)
    if done.returncode:
        raise OpsError(
            f"`{' '.join(command)}` failed.",
            done.stderr.strip() or done.stdout.strip() or f"It ended with {done.returncode} and said nothing.",
            "Fix what it says, and run the command again.",
        )
    return done.stdout
