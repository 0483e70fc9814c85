"""Run the user's tools, and the error that a command ends with."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
"""The folder with Pulumi.yaml: the checkout that this package is part of."""


class OpsError(Exception):
    """An error the user can act on, in three lines: what failed, why, what to do."""

    def __init__(self, failed: str, why: str, todo: str) -> None:
        """Take one or two sentences each; `why` may be several lines of a tool's output."""
        super().__init__("\n".join((failed, why, todo)))
        self.why = why


def ended(
    *command: str, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a tool in the project's folder and return the completed process, even when the tool failed.

    `environment` is added to this process's own. Raises OpsError when the tool cannot be started.
    """
    variables = os.environ | dict(environment or {})
    try:
        return subprocess.run(
            command, cwd=PROJECT, env=variables, text=True, check=False, capture_output=True, input=stdin
        )
    except OSError as error:
        raise not_there(" ".join(command[:2]), error) from error


def not_there(command: str, error: OSError) -> OpsError:
    """Return the error for a command whose tool is missing or cannot be started."""
    tool = command.partition(" ")[0]
    return OpsError(
        f"`{command}` could not be run.",
        f"PATH has no `{tool}` that runs: {error.strerror}.",
        f"Install {tool}, or put it on PATH.",
    )


def run(*command: str, stdin: str = "", environment: Mapping[str, str] | None = None) -> str:
    """Run a tool in the project's folder and return its output. Raises OpsError when it is missing or fails."""
    done = ended(*command, stdin=stdin, environment=environment)
    if done.returncode:
        raise OpsError(
            f"`{' '.join(command)}` failed.",
            done.stderr.strip() or done.stdout.strip() or f"It ended with exit code {done.returncode} and no output.",
            "Fix the error and run the command again.",
        )
    return done.stdout
