"""Build and push images with the docker client."""

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

import docker
import docker.errors

from sandbox.errors import SandboxError
from sandbox.layout import here
from sandbox.plugins.docker.context import Context
from sandbox.plugins.process import Children
from sandbox.services import images
from sandbox.services.containers import DOCKER

_MISSING = re.compile(r" > (?:\[[^]]*\] )?(?:load metadata for|FROM) (?:docker\.io/library/)?(\S+):")
"""Matches the title of a build step that failed to pull an image."""
_LAST_LINES = 20
"""Lines of a failed step that its error shows."""


class DockerError(Exception):
    """The build or the push failed. The message says what, why and what to do, and is shown to the user."""


def make(inputs: dict[str, Any], *, children: Children, log: Callable[..., None]) -> str:
    """Build and push the image of checked inputs; return `repository@sha256:...`, or with skipPush the image's id.

    `log` is called with each line, and with `warning=True` for a warning. Raises DockerError.
    """
    image, registry = inputs["imageName"], inputs["registry"]
    # A private folder, since it has the login; it is removed afterwards.
    with tempfile.TemporaryDirectory(prefix="docker-") as folder:
        docker = _Docker(folder=Path(folder), children=children, log=log)
        if registry.get("username") and registry.get("password"):
            server = registry.get("server") or image.partition("/")[0]
            docker.write_login(server, registry["username"], registry["password"])
        built = docker.build(image, inputs["build"])
        return built if inputs.get("skipPush") else docker.push(image, user=registry.get("username", ""))


@dataclass(frozen=True, kw_only=True)
class _Docker:
    """The docker client, with a temporary folder for one build and push."""

    folder: Path
    children: Children
    log: Callable[..., None]

    def write_login(self, server: str, username: str, password: str) -> None:
        """Write the client's configuration with this login, from now on its only one."""
        if server in ("docker.io", "index.docker.io"):
            server = "https://index.docker.io/v1/"  # the client's key for Docker Hub
        login = base64.b64encode(f"{username}:{password}".encode()).decode()
        (self.folder / "config.json").write_text(json.dumps({"auths": {server: {"auth": login}}}))

    def build(self, image: str, options: dict[str, Any]) -> str:
        """Build with BuildKit and return the image's id."""
        context = Context(root=Path(options["context"]), dockerfile=Path(options["dockerfile"]))
        if left_out := context.write_dockerfile(self.folder):
            self.log(f"{left_out!r} is ignored: its frontend would be pulled from a registry.", warning=True)
        arguments, id_file = options.get("args", {}), self.folder / "id"
        command = ["build", "--progress=plain", f"--file={self.folder / 'Dockerfile'}", f"--iidfile={id_file}"]
        command += [f"--{name}={options[name]}" for name in ("platform", "target", "network") if options.get(name)]
        # Names only: the client takes the values from its environment.
        command += [word for name in arguments for word in ("--build-arg", name)]
        command += [f"--tag={image}", str(context.root)]
        variables = arguments | {"DOCKER_BUILDKIT": "1"}
        code, lines = self._run(command, variables)
        made: set[str] = set()
        while code and (base := _unavailable_base(lines)) and images.python_of(base) and base not in made:
            self._make_python(base)
            made.add(base)
            code, lines = self._run(command, variables)
        if code:
            reason = f"building {image}: {lines[-1]}. {_advice(lines[-1]) or _base_advice(lines)}".rstrip()
            raise DockerError("\n".join([reason, *_failed_step(lines)[-_LAST_LINES:]]))
        return id_file.read_text()

    def _make_python(self, image: str) -> None:
        """Make an image that cannot be pulled from Debian's packages."""
        self.log(f"{image} cannot be pulled, so it is made from Debian's packages. The first time takes minutes.")
        try:
            what = images.import_python(docker.from_env(timeout=120), image, here().cache)
        except (SandboxError, docker.errors.DockerException) as error:
            raise DockerError(f"making {image}: {error}") from error
        self.log(f"{image} was not pulled but made here: it is {what}.", warning=True)

    def push(self, image: str, *, user: str) -> str:
        """Push the image, with the login of `user`, and return it by its digest in the registry."""
        code, lines = self._run(["push", image], {})
        if code:
            raise DockerError(f"pushing {image}: {lines[-1]}. {_advice(lines[-1]) or _push_advice(lines[-1], user)}")
        digests = [found[0] for line in lines if (found := re.search(r"sha256:[0-9a-f]{64}", line))]
        if not digests:
            raise DockerError(f"pushing {image}: the daemon did not print the digest")
        repository = re.sub(r":[^/:]+$", "", image)
        return f"{repository}@{digests[-1]}"

    def _run(self, arguments: list[str], variables: dict[str, str]) -> tuple[int, list[str]]:
        """Run the client and log its output; return its exit code and at least one line."""
        own = {"DOCKER_CONFIG": str(self.folder)} if (self.folder / "config.json").exists() else {}
        try:
            with self.children.started(
                [DOCKER, *arguments],
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
            raise DockerError(f"there is no {DOCKER}: install Debian's package docker.io") from error
        if self.children.cancelled:
            raise DockerError("interrupted; run the update again to continue")
        return code, lines or [f"docker ended with exit code {code}"]


def _failed_step(lines: list[str]) -> list[str]:
    """Return the lines of the failed step, which all begin with its number; all lines when no step failed."""
    step = next((line.split()[0] for line in reversed(lines) if re.match(r"#\d+ ERROR", line)), None)
    return [line for line in lines if line.split()[0] == step] if step else lines


def _unavailable_base(lines: list[str]) -> str | None:
    """Return the image that could not be pulled, for FROM or COPY, if the build failed for that."""
    return next((found[1] for line in lines if (found := _MISSING.fullmatch(line))), None)


def _base_advice(lines: list[str]) -> str:
    if not _unavailable_base(lines):
        return ""
    offered = ", ".join(f"python:{version}-slim" for version in images.DEBIANS)
    return f"When a base image cannot be pulled, only these can be made here: {offered}."


def _advice(error: str) -> str:
    if "docker daemon" not in error.lower() and "error during connect" not in error:
        return ""
    host = os.environ.get("DOCKER_HOST") or "the default socket"
    return f"No daemon answers at {host}: start it, or set DOCKER_HOST to another one."


def _push_advice(error: str, user: str) -> str:
    if not any(word in error.lower() for word in ("unauthorized", "authentication", "credentials", "denied")):
        return "Check that the registry runs, and that the daemon reaches and trusts it."
    if user:
        return f"The registry refused user {user!r}: check registry.username and registry.password."
    return "There is no login: set registry.username and registry.password, or use docker login."
