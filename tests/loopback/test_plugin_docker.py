"""The stand-in for pulumi-resource-docker with Debian's daemon and registry, both on loopback; needs root."""

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2

from infra.image import user_of
from tests import docker_servers
from tests.docker_servers import PASSWORD, USER
from tests.fast.plugin_engine import IMAGE, Plugin, plugin, urn
from tests.troubles import provoked

pytestmark = docker_servers.there


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a registry with one user; yield its address."""
    with docker_servers.registry(tmp_path_factory.mktemp("servers") / "registry") as address:
        yield address


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a daemon with busybox as the image `base`; yield the variables that lead to it."""
    folder = tmp_path_factory.mktemp("servers")
    with docker_servers.daemon(folder / "docker") as host:
        with tarfile.open(folder / "base.tar", "w") as base:
            base.add(os.path.realpath(str(shutil.which("busybox"))), "bin/busybox")
            for name in ("sh", "echo", "find", "seq", "sleep", "cat"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                base.addfile(link)
        command = ["/usr/bin/docker", "--host", host, "import", str(folder / "base.tar"), "base"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (folder / "tmp").mkdir()
        yield {"DOCKER_HOST": host, "TMPDIR": str(folder / "tmp")}


@pytest.fixture(scope="module")
def docker(daemon: dict[str, str]) -> Iterator[Plugin]:
    with plugin(**daemon) as started:
        yield started


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    return tmp_path / "app"


def image(app: Path, dockerfile: str, *, registry: str = "", password: str = PASSWORD, **build: Any) -> dict[str, Any]:
    """Return the inputs of an image; it is pushed if `registry` is given."""
    (app / "Dockerfile").write_text(dockerfile)
    inputs = {"build": {"context": str(app), "network": "host"} | build}
    if not registry:
        return inputs | {"imageName": "web", "skipPush": True}
    login = {"server": registry, "username": USER, "password": password}
    return inputs | {"imageName": f"{registry}/site/web:v1", "registry": login}


def failure(docker: Plugin, inputs: dict[str, Any]) -> str:
    with pytest.raises(grpc.RpcError) as failed:
        docker.create(inputs)
    assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    return str(failed.value.details())


def test_what_is_pushed_is_known_by_its_digest_and_pushed_again_after_a_change(
    docker: Plugin, app: Path, registry: str
) -> None:
    first = image(app, "FROM base\nRUN --mount=type=cache,target=/c echo 1 > /one", registry=registry)
    pushed = docker.create(first)["repoDigest"]
    assert re.fullmatch(rf"{registry}/site/web@sha256:[0-9a-f]{{64}}", pushed)
    docker.log.until(pushed.partition("@")[2])
    again = docker.update(first, image(app, "FROM base\nRUN echo 2 > /two", registry=registry))
    assert again["repoDigest"] != pushed


def test_the_options_reach_the_build_and_what_is_not_pushed_is_known_by_its_id(docker: Plugin, app: Path) -> None:
    wanted = "FROM --platform=linux/amd64 base AS wanted\nARG WORD\nARG TARGETARCH\nRUN echo $WORD-$TARGETARCH | cat\n"
    options: dict[str, Any] = {"args": {"WORD": "by-argument"}, "target": "wanted", "platform": "linux/arm64"}
    inputs = image(app, f"{wanted}FROM base\nRUN exit 7", **options)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", docker.create(inputs)["repoDigest"])
    assert docker.log.until(r"#\d+ [\d.]+ by-argument-arm64").urn == urn(IMAGE)


def test_without_a_login_of_the_programs_the_users_own_counts(
    daemon: dict[str, str], app: Path, registry: str, tmp_path: Path
) -> None:
    inputs = image(app, "FROM base", registry=registry) | {"registry": None}
    with plugin(**daemon, DOCKER_CONFIG=str(tmp_path)) as docker:
        assert "registry.username" in failure(docker, inputs)
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry: {"auth": login}}}))
        assert docker.create(inputs)["repoDigest"]


@pytest.mark.parametrize(("dockerfile", "user"), [("FROM base", "root"), ("FROM base\nUSER web:web", "web")])
def test_the_daemon_knows_as_whom_an_image_runs(
    docker: Plugin, daemon: dict[str, str], app: Path, monkeypatch: pytest.MonkeyPatch, dockerfile: str, user: str
) -> None:
    built = docker.create(image(app, dockerfile))["repoDigest"]
    monkeypatch.setenv("DOCKER_HOST", daemon["DOCKER_HOST"])
    assert asyncio.run(user_of(built)) == user
    assert asyncio.run(user_of("none")) is None


@pytest.mark.parametrize("ignore_file", [".dockerignore", "Dockerfile.dockerignore"])
def test_the_builder_gets_the_files_that_the_digest_covers(docker: Plugin, app: Path, ignore_file: str) -> None:
    names = ("main.py", "debug.log", "lib/__pycache__/x.pyc", "static/site.css", "static/map.css", "a b/c.txt")
    for name in names:
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_text("before")
    (app / ".dockerignore").write_text("main.py\n")
    (app / ignore_file).write_text("# notes\n*.log\n**/__pycache__\n static/* \n!static/site.css\na*\n")
    inputs = image(app, f"FROM base\nCOPY . /{ignore_file}\nRUN find /{ignore_file} -type f")
    checked = docker.check(inputs)
    docker.create(inputs)
    told = "\n".join(each.message for each in docker.log.entries)
    got = {name for name in names if f" /{ignore_file}/{name}\n" in told}
    assert got == {"main.py", "static/site.css"}
    for name in names:
        (app / name).write_text("after")
        assert bool(docker.changes(checked, inputs)) is (name in got), name
        (app / name).write_text("before")


def test_a_frontend_from_a_hub_is_left_out_with_a_warning(docker: Plugin, app: Path) -> None:
    docker.create(image(app, "# Syntax = hub.example.test/frontend:1\nFROM base\n"))
    assert docker.log.until("hub.example.test/frontend:1").severity == engine_pb2.WARNING


@pytest.mark.parametrize("line", ["FROM {}", "FROM base\nCOPY --from={} / /x"])
def test_an_image_that_is_not_there_is_refused_with_those_that_can_be_made(
    docker: Plugin, app: Path, line: str
) -> None:
    told = failure(docker, image(app, line.format("hub.invalid/python:3.13-slim")))
    assert "hub.invalid" in told
    assert "python:3.13-slim." in told


def test_a_step_that_fails_is_told_with_its_last_lines(docker: Plugin, app: Path) -> None:
    told = failure(docker, image(app, "FROM base\nRUN seq 101 150 && exit 7"))
    provoked("…exit code: …", told)
    assert "exit code: 7" in told
    assert "150" in told
    assert "101" not in told.partition("\n")[2].replace("seq 101", "")


def test_a_refused_login_names_its_keys(docker: Plugin, app: Path, registry: str) -> None:
    told = failure(docker, image(app, "FROM base", registry=registry, password="wrong-wrong"))
    assert "registry.username" in told
    assert "registry.password" in told
    assert "wrong-wrong" not in told + str(docker.log.entries)


def test_a_daemon_that_does_not_answer_is_named(app: Path) -> None:
    with plugin(DOCKER_HOST="tcp://127.0.0.1:1") as docker:
        told = failure(docker, image(app, "FROM base"))
    assert "tcp://127.0.0.1:1" in told
    assert "DOCKER_HOST" in told


def test_a_build_shows_no_login_to_others_and_ends_when_it_is_cancelled(
    daemon: dict[str, str], app: Path, registry: str
) -> None:
    with plugin(**daemon) as docker:
        going = docker.creation(image(app, "FROM base\nRUN echo begun | cat && sleep 600", registry=registry))
        docker.log.until(r"#\d+ [\d.]+ begun")
        [folder] = Path(daemon["TMPDIR"]).iterdir()
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode())
        assert login in (folder / "config.json").read_bytes()
        assert folder.stat().st_mode & 0o077 == 0
        shown = b"".join(open_to_ps())
        assert f"DOCKER_CONFIG={folder}".encode() in shown
        assert PASSWORD.encode() not in shown
        assert login not in shown
        docker.stub.Cancel(empty_pb2.Empty())
        assert going.exception(timeout=20).code() == grpc.StatusCode.FAILED_PRECONDITION
        assert not folder.exists()


def test_a_plugin_that_is_interrupted_ends_what_it_started(daemon: dict[str, str], app: Path, registry: str) -> None:
    with plugin(**daemon) as docker:
        going = docker.creation(image(app, "FROM base\nRUN echo begun | cat && sleep 601", registry=registry))
        docker.log.until(r"#\d+ [\d.]+ begun")
        assert not going.done()
    assert list(Path(daemon["TMPDIR"]).iterdir()) == []
    assert str(app).encode() not in b"".join(open_to_ps())


def open_to_ps() -> Iterator[bytes]:
    """Yield the command line and the environment of every process."""
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):  # it has ended in the meantime
                yield (process / name).read_bytes()
