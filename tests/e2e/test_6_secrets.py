"""The registry's password and Django's key are found where they are used, and nowhere else."""

import base64
import io
import json
import subprocess
import sys
import tarfile
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox import logins
from sandbox.layout import Layout
from tests.e2e import cloud
from tests.e2e.session import FirstUp
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually
from tests.e2e.watching import process_list


@pytest.fixture(scope="module")
def secrets(stack: Stack) -> dict[str, list[bytes]]:
    """Return each secret in every form in which it may appear."""
    [key] = [each for each in stack.objects("secrets")["items"] if "SECRET_KEY" in each["data"]]
    password = cloud.password(stack.layout)
    return {
        "the registry's password": _forms(password, f"{logins.REGISTRY_USER}:{password}"),
        "Django's key": _forms(base64.b64decode(key["data"]["SECRET_KEY"]).decode()),
    }


def _forms(secret: str, *around: str) -> list[bytes]:
    assert len(secret) >= 20
    plain = {secret, urllib.parse.quote(secret)}
    encoded = {base64.b64encode(text.encode()).decode().rstrip("=") for text in (secret, *around)}
    return [form.encode() for form in plain | encoded]


def _found(secrets: dict[str, list[bytes]], text: bytes) -> set[str]:
    """Return the names of the secrets that occur in a text."""
    return {name for name, forms in secrets.items() if any(form in text for form in forms)}


def _inside(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


def test_the_search_finds_both_where_they_are_meant_to_be_shown(stack: Stack, secrets: dict[str, list[bytes]]) -> None:
    shown = stack.pulumi("stack", "export", "--show-secrets").out
    assert _found(secrets, shown.encode()) == set(secrets)
    mounted = stack.kubectl("get", "secrets", "--output=json")
    assert "Django's key" in _found(secrets, mounted.encode())


def test_the_exported_state_has_neither(stack: Stack, secrets: dict[str, list[bytes]]) -> None:
    assert _found(secrets, stack.pulumi("stack", "export").out.encode()) == set()


def test_the_files_of_the_state_and_its_history_have_neither(layout: Layout, secrets: dict[str, list[bytes]]) -> None:
    files = dict(_inside(layout.root / "stacks"))
    assert any(b"web-deployment" in content for content in files.values())
    assert {str(path): found for path, text in files.items() if (found := _found(secrets, text))} == {}


@pytest.mark.parametrize("folder", ["logs", "pulumi"])
def test_the_logs_have_neither(layout: Layout, secrets: dict[str, list[bytes]], folder: str) -> None:
    files = dict(_inside(layout.root / folder))
    assert files
    assert {str(path): found for path, text in files.items() if (found := _found(secrets, text))} == {}


def test_the_logs_that_are_searched_tell_of_the_push(layout: Layout, outputs: dict[str, Any]) -> None:
    digest = outputs["image"].partition("@")[2]
    assert any(digest.encode() in content for _, content in _inside(layout.logs))


def test_the_output_of_up_has_neither(first_up: FirstUp, secrets: dict[str, list[bytes]]) -> None:
    assert "web-deployment" in first_up.done.said
    assert _found(secrets, first_up.done.said.encode()) == set()


def test_the_outputs_of_the_stack_have_neither(stack: Stack, secrets: dict[str, list[bytes]]) -> None:
    assert _found(secrets, stack.pulumi("stack", "output", "--json").out.encode()) == set()
    assert _found(secrets, stack.plan().done.said.encode()) == set()


@pytest.mark.parametrize("command", [("doctor", "STACK=local"), ("pr-comment",)])
def test_what_is_told_at_a_workstation_and_on_a_pull_request_has_neither(
    stack: Stack, secrets: dict[str, list[bytes]], command: tuple[str, ...]
) -> None:
    said = stack.run("make", *command).said
    assert "local" in said
    assert _found(secrets, said.encode()) == set()


def test_no_command_line_had_either_while_it_all_came_up(first_up: FirstUp, secrets: dict[str, list[bytes]]) -> None:
    commands = "\n".join(first_up.commands)
    for program in ("pulumi up --yes", "sandbox.plugins.docker", "kube-apiserver", "dockerd", "gunicorn"):
        assert program in commands, f"the process list was not watched while {program} ran"
    assert _found(secrets, commands.encode()) == set()


def test_the_process_list_that_is_searched_shows_a_word_on_a_command_line() -> None:
    word = "e2e-on-the-command-line"
    command = [sys.executable, "-c", "input()", word]
    with process_list() as seen, subprocess.Popen(command, stdin=subprocess.PIPE) as process:

        def shown() -> None:
            assert any(word in each for each in seen)

        eventually(shown)
        process.communicate(b"\n")


@pytest.fixture(scope="module")
def image(layout: Layout, outputs: dict[str, Any]) -> Iterator[Any]:
    """Return the image that runs, from the daemon that built it."""
    client = docker.DockerClient(base_url=f"unix://{layout.docker_socket}", timeout=120)
    try:
        yield client.images.get(outputs["image"])
    finally:
        client.close()


def test_the_images_history_and_configuration_have_neither(image: Any, secrets: dict[str, list[bytes]]) -> None:
    told = json.dumps([image.history(), image.attrs])
    assert "gunicorn" in told
    assert _found(secrets, told.encode()) == set()


def test_the_images_files_have_neither(image: Any, secrets: dict[str, list[bytes]]) -> None:
    contents = list(_files(image.save()))
    assert any(b"DJANGO_SETTINGS_MODULE" in content for content in contents)
    assert set().union(*(_found(secrets, content) for content in contents)) == set()


def _files(archive: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the contents of every file in every layer of a saved image, and of its manifests."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as image:
        for member in image:
            content = image.extractfile(member)
            if content is None:
                continue
            if not member.name.endswith("layer.tar"):
                yield content.read()
                continue
            with tarfile.open(fileobj=content) as layer:
                files = (layer.extractfile(each) for each in layer if each.isfile())
                yield from (file.read() for file in files if file is not None)


@pytest.mark.parametrize("secret", ["registry-password", "service-account.key", "ca.key"])
def test_the_files_that_hold_secrets_are_closed_to_other_users(layout: Layout, secret: str) -> None:
    """The modes of the folders around them keep others out, whatever the files' own modes."""
    assert (layout.secrets / secret).exists()
    for folder in (layout.root, layout.secrets):
        assert folder.stat().st_mode & 0o077 == 0
