"""The Docker daemon: building and pushing, with progress and with errors a user can act on."""

import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from docker import APIClient
from docker.errors import DockerException
from docker.utils import kwargs_from_env, parse_repository_tag

from sandbox.plugins.docker.context import Context
from sandbox.plugins.resource import Call, PluginError

SILENCE_SECONDS = 300
"""How long the daemon may say nothing while pushing; a build has no such limit."""
LAST_LINES = 20
"""Lines of a failed step that its error repeats."""
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What the builder puts around a step's standard error."""


@contextmanager
def daemon() -> Iterator[APIClient]:
    """Talk to the daemon that DOCKER_HOST names. Raises PluginError when it does not answer."""
    host = os.environ.get("DOCKER_HOST") or "the default socket"
    hint = "start it, or set DOCKER_HOST to the daemon to use"
    try:
        client = APIClient(version="auto", timeout=SILENCE_SECONDS, **kwargs_from_env())
    except DockerException as error:
        raise PluginError(f"the Docker daemon at {host} does not answer: {hint} ({error})") from error
    try:
        yield client
    except requests.ConnectionError as error:
        raise PluginError(f"the Docker daemon at {host} went away: {hint} ({error})") from error
    except DockerException as error:
        raise PluginError(f"the Docker daemon at {host} refused: {error}") from error
    finally:
        client.close()


def build(client: APIClient, context: Context, *, image: str, options: Mapping[str, Any], call: Call) -> str:
    """Build with the classic builder and give the image's id; `options` go to the API as they are."""
    file, dockerfile = context.archive()
    with file:
        stream = client.build(
            fileobj=file,
            custom_context=True,
            dockerfile=dockerfile,
            tag=image,
            rm=True,
            forcerm=True,
            decode=True,
            **options,
        )
        built, step = "", deque[str](maxlen=LAST_LINES)
        for message in _uninterrupted(stream, call):
            if "error" in message:
                lines = "\n".join(step)
                raise PluginError(f"building {image}: {message['error']}. The step's last lines:\n{lines}")
            built = (message.get("aux") or {}).get("ID") or built
            for line in COLOURS.sub("", message.get("stream", "")).splitlines():
                if line.strip():
                    if line.startswith("Step "):
                        step.clear()
                    step.append(line)
                    call.log(line)
    if not built:
        raise PluginError(f"building {image}: the daemon ended without an image; its last lines:\n" + "\n".join(step))
    return built


def push(client: APIClient, image: str, *, login: Mapping[str, str] | None, call: Call) -> str:
    """Push the image and give it by digest, `repository@sha256:...`.

    Without a `login` (username, password) the daemon gets what `docker login` left in DOCKER_CONFIG.
    """
    repository, tag = parse_repository_tag(image)
    stream = client.push(repository, tag=tag or "latest", auth_config=login, stream=True, decode=True)
    digest, said = "", dict[str, str]()
    for message in _uninterrupted(stream, call):
        if "error" in message:
            raise PluginError(f"pushing {image}: {message['error']}. {_advice(message['error'], login)}")
        digest = (message.get("aux") or {}).get("Digest") or digest
        layer, status = message.get("id", ""), message.get("status", "")
        if status and said.get(layer) != status:
            said[layer] = status
            call.log(f"{layer}: {status}" if layer else status)
    if not digest:
        raise PluginError(f"pushing {image}: the daemon did not say under which digest the registry keeps it")
    return f"{repository}@{digest}"


def _advice(error: str, login: Mapping[str, str] | None) -> str:
    refused = ("unauthorized", "authentication", "credentials", "denied")
    if not any(word in error.lower() for word in refused):
        return "Check that the registry is up and that the daemon reaches and trusts it."
    if login:
        return f"The registry refused user {login['username']!r}: check registry.username and registry.password."
    return "No login was given: set registry.username and registry.password, or use docker login."


def _uninterrupted(stream: Iterator[dict[str, Any]], call: Call) -> Iterator[dict[str, Any]]:
    for message in stream:
        call.pause(0)
        yield message
