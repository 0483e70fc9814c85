"""Builds and pushes with the docker client, which says line by line what it does."""

import base64
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.plugins.docker.context import Context
from sandbox.plugins.process import Children

_CLIENT = "/usr/bin/docker"
"""Debian's, by its path: a newer one, earlier on PATH, would build only with a plugin beside it."""
_LAST_LINES = 20
"""Lines of a failed step that its error repeats."""


class DockerError(Exception):
    """The build or the push failed; the message says what, why and what to do, and reaches the user as it is."""


def make(inputs: dict[str, Any], *, children: Children, log: Callable[..., None]) -> str:
    """Build the image of checked inputs and push it: `repository@sha256:...`, or with skipPush the image's id.

    `log` takes a line, and `warning=True` with one that the user should read. Raises DockerError.
    """
    image, registry = inputs["imageName"], inputs["registry"]
    # Nobody else may look into this folder, and it does not stay.
    with tempfile.TemporaryDirectory(prefix="docker-") as folder:
        docker = _Docker(folder=Path(folder), children=children, log=log)
        if registry.get("username") and registry.get("password"):
            server = registry.get("server") or image.partition("/")[0]
            docker.write_login(server, registry["username"], registry["password"])
        built = docker.build(image, inputs["build"])
        return built if inputs.get("skipPush") else docker.push(image, user=registry.get("username", ""))


@dataclass(frozen=True, kw_only=True)
class _Docker:
    """The docker client, with a folder for the files of one build and push."""

    folder: Path
    children: Children
    log: Callable[..., None]

    def write_login(self, server: str, username: str, password: str) -> None:
        """Log in; from here on, this is the only login that the client has."""
        if server in ("docker.io", "index.docker.io"):
            server = "https://index.docker.io/v1/"  # as the client calls it
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        (self.folder / "config.json").write_text(json.dumps({"auths": {server: {"auth": login}}}))

    def build(self, image: str, options: dict[str, Any]) -> str:
        """Build with BuildKit; give the image's id."""
        context = Context(root=Path(options["context"]), dockerfile=Path(options["dockerfile"]))
        if left_out := context.write_dockerfile(self.folder):
            self.log(f"{left_out!r} is left out of what is built: its frontend would come from a hub.", warning=True)
        arguments, id_file = options.get("args", {}), self.folder / "id"
        command = ["build", "--progress=plain", f"--file={self.folder / 'Dockerfile'}", f"--iidfile={id_file}"]
        command += [f"--{name}={options[name]}" for name in ("platform", "target", "network") if options.get(name)]
        # By their names alone: the client takes their values from its environment.
        command += [word for name in arguments for word in ("--build-arg", name)]
        command += [f"--tag={image}", str(context.root)]
        code, lines = self._run(command, arguments | {"DOCKER_BUILDKIT": "1"})
        if code:
            reason = f"building {image}: {lines[-1]}. {_advice(lines[-1])}".rstrip()
            raise DockerError("\n".join([reason, *_failed_step(lines)[-_LAST_LINES:]]))
        return id_file.read_text()

    def push(self, image: str, *, user: str) -> str:
        """Push the image; give it by its digest in the registry, where `user` logs in."""
        code, lines = self._run(["push", image], {})
        if code:
            raise DockerError(f"pushing {image}: {lines[-1]}. {_advice(lines[-1]) or _push_advice(lines[-1], user)}")
        digests = [found[0] for line in lines if (found := re.search(r"sha256:[0-9a-f]{64}", line))]
        if not digests:
            raise DockerError(f"pushing {image}: the daemon did not say under which digest the registry keeps it")
        repository = re.sub(r":[^/:]+$", "", image)
        return f"{repository}@{digests[-1]}"

    def _run(self, arguments: list[str], variables: dict[str, str]) -> tuple[int, list[str]]:
        """Run the client and log what it says; give its exit code and its lines, of which there is at least one."""
        own = {"DOCKER_CONFIG": str(self.folder)} if (self.folder / "config.json").exists() else {}
        try:
            with self.children.started(
                [_CLIENT, *arguments],
                env=os.environ | variables | own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                lines = []
                for line in filter(str.strip, process.stdout or ()):
                    lines.append(line.rstrip())
                    self.log(lines[-1])
                code = process.wait()
        except FileNotFoundError as error:
            raise DockerError(f"there is no {_CLIENT}: install Debian's package docker.io") from error
        if self.children.cancelled:
            raise DockerError("interrupted; run the update again to go on")
        return code, lines or [f"docker ended with exit code {code}"]


def _failed_step(lines: list[str]) -> list[str]:
    """Give the lines of the step that failed, which all begin with its number; all lines when none did."""
    step = next((line.split()[0] for line in reversed(lines) if re.match(r"#\d+ ERROR", line)), None)
    return [line for line in lines if line.split()[0] == step] if step else lines


def _advice(error: str) -> str:
    if "docker daemon" not in error.lower() and "error during connect" not in error:
        return ""
    host = os.environ.get("DOCKER_HOST") or "the default socket"
    return f"Nothing answers at {host}: start the daemon, or set DOCKER_HOST to the one to use."


def _push_advice(error: str, user: str) -> str:
    if not any(word in error.lower() for word in ("unauthorized", "authentication", "credentials", "denied")):
        return "Check that the registry is up and that the daemon reaches and trusts it."
    if user:
        return f"The registry refused user {user!r}: check registry.username and registry.password."
    return "No login was given: set registry.username and registry.password, or use docker login."
