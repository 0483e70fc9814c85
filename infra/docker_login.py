"""Asks a registry through the user's own docker, with a login that is not kept."""

import os
import subprocess
import tempfile
from collections.abc import Mapping

SECONDS = 20
"""Seconds to wait for an answer."""


def ask(server: str, username: str, password: str, *question: str) -> subprocess.CompletedProcess[str]:
    """Log in, with a temporary configuration, and if that succeeds run one more docker command.

    Return the result of the last command. Raise OSError if there is no docker, and TimeoutError, which is one, if
    nothing answers.
    """
    # The daemon of the current context, which the temporary configuration does not have.
    host = _run(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]).stdout.strip()
    daemon = {"DOCKER_HOST": host} if host else {}
    with tempfile.TemporaryDirectory(prefix="docker-") as folder:
        own = ["--config", folder]
        login = [*own, "login", server, "--username", username, "--password-stdin"]
        done = _run(login, stdin=password, environment=daemon)
        return done if done.returncode or not question else _run([*own, *question], environment=daemon)


def is_refused(done: subprocess.CompletedProcess[str]) -> bool:
    """Return whether the registry refused the user, as opposed to a failure on the way there."""
    return "unauthorized" in done.stderr.lower() or "401" in done.stderr


def last_line(text: str) -> str:
    """Return the last line that a tool wrote, which says what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _run(
    arguments: list[str], *, stdin: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603  the arguments are ours
            ["docker", *arguments],  # noqa: S607  the user's own
            env=os.environ | dict(environment or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"docker got no answer within {SECONDS} seconds") from error
