"""The stand-in for pulumi-resource-docker, as far as it goes without a daemon."""

import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from sandbox.plugins.docker.context import Context
from sandbox.plugins.docker.image import Image
from sandbox.plugins.resource import Plugin
from tests.fast.plugin_engine import UNKNOWN, Engine, RefusedError, Resource, engine, secret

IMAGE = "docker:index/image:Image"
NAME = "registry.example.test:5000/site/web:v1"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program's directory with a context in it."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "app/Dockerfile", "FROM scratch\n")
    write(tmp_path / "app/main.py", "print(1)\n")
    write(tmp_path / "app/static/site.css", "p {}\n")
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def context(root: str = "app", dockerfile: str = "app/Dockerfile") -> Context:
    return Context(root=Path(root), dockerfile=Path(dockerfile))


@pytest.fixture
def docker() -> Iterator[Engine]:
    plugin = Plugin(name="docker", version="5.2.0", config={}, build=lambda config: ([Image()], []))
    with engine(plugin) as speaking:
        yield speaking


def made(docker: Engine, inputs: dict[str, Any]) -> Resource:
    """What the state has of an image that was built of these inputs."""
    urn = f"urn:pulumi:test::project::{IMAGE}::thing"
    return Resource(urn=urn, id=NAME, inputs=docker.check(IMAGE, inputs), state={"repoDigest": "x@sha256:0"})


def point_elsewhere(link: Path) -> None:
    link.unlink()
    link.symlink_to("main.py")


CHANGES: dict[str, Callable[[Path], object]] = {
    "contents": lambda app: write(app / "main.py", "print(2)\n"),
    "a new file": lambda app: write(app / "static/new.css", ""),
    "a name": lambda app: (app / "main.py").rename(app / "other.py"),
    "a file gone": lambda app: (app / "main.py").unlink(),
    "a mode": lambda app: (app / "main.py").chmod(0o755),
    "the Dockerfile": lambda app: write(app / "Dockerfile", "FROM scratch\nUSER 1\n"),
    "where a link points": lambda app: point_elsewhere(app / "link"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_digest_changes_with(project: Path, what: str) -> None:
    (project / "app/main.py").chmod(0o644)
    (project / "app/link").symlink_to("static")
    before = context().digest()
    CHANGES[what](project / "app")
    assert context().digest() != before


def test_the_digest_stays_the_same_for_what_no_builder_sees(project: Path) -> None:
    write(project / "app/.dockerignore", "# notes\n*.log\n**/__pycache__\nstatic/*\n!static/site.css\n")
    before = context().digest()
    write(project / "app/debug.log", "x")
    write(project / "app/lib/__pycache__/x.pyc", "x")
    write(project / "app/static/map.css", "x")
    write(project / "beside.txt", "x")
    os.utime(project / "app/main.py", (0, 0))
    assert context().digest() == before
    write(project / "app/static/site.css", "b {}\n")
    assert context().digest() != before


def test_an_ignore_file_of_the_dockerfile_comes_before_the_one_of_the_context(project: Path) -> None:
    write(project / "app/.dockerignore", "main.py\n")
    write(project / "app/Dockerfile.dockerignore", "static\n")
    before = context().digest()
    write(project / "app/static/site.css", "b {}\n")
    assert context().digest() == before
    write(project / "app/main.py", "print(2)\n")
    assert context().digest() != before


@pytest.mark.parametrize("ignored", ["", "static\n", "*\n!main.py\n", "Dockerfile\n"])
def test_the_archive_has_the_files_that_the_digest_covers(project: Path, ignored: str) -> None:
    write(project / "app/.dockerignore", ignored)
    file, dockerfile = context().archive()
    with file, tarfile.open(fileobj=file) as archive:
        packed_files = {each.name for each in archive if each.isfile()}
    assert dockerfile == "Dockerfile"
    assert {"Dockerfile", "main.py"} <= packed_files
    for name in ("main.py", "static/site.css"):
        before = context().digest()
        write(project / "app" / name, "changed")
        assert (context().digest() != before) is (name in packed_files)


def test_a_dockerfile_may_lie_outside_of_its_context(project: Path) -> None:
    write(project / "Outside", "FROM scratch\nUSER 2\n")
    outside = context(dockerfile="Outside")
    file, dockerfile = outside.archive()
    with file, tarfile.open(fileobj=file) as archive:
        content = archive.extractfile(dockerfile)
        assert content
        assert content.read() == b"FROM scratch\nUSER 2\n"
    before = outside.digest()
    write(project / "Outside", "FROM scratch\nUSER 3\n")
    assert outside.digest() != before


def test_a_changed_file_is_an_update_and_an_unchanged_one_is_none(project: Path, docker: Engine) -> None:
    inputs = {"imageName": NAME, "build": {"context": "app"}}
    image = made(docker, inputs)
    assert docker.changes(image, inputs) == {}
    write(project / "app/main.py", "print(2)\n")
    assert docker.changes(image, inputs) == {"build.contextDigest": "UPDATE"}
    assert docker.refresh(image) == image


def test_another_login_is_no_change_and_another_registry_is(project: Path, docker: Engine) -> None:
    registry = {"server": "registry.example.test:5000", "username": "one", "password": "1"}
    inputs = {"imageName": NAME, "build": {"context": "app"}, "registry": registry}
    image = made(docker, inputs)
    assert docker.changes(image, inputs | {"registry": registry | {"username": "two", "password": "2"}}) == {}
    other = inputs | {"registry": registry | {"server": "other.example.test"}}
    assert docker.changes(image, other) == {"registry.server": "UPDATE"}


def test_the_password_is_secret_even_if_the_program_forgets_it(project: Path, docker: Engine) -> None:
    registry = {"server": "registry.example.test:5000", "username": "one", "password": "hunter2"}
    inputs = {"imageName": NAME, "build": {"context": "app"}, "registry": registry}
    checked = docker.check(IMAGE, inputs)
    assert checked["registry"]["password"] == secret("hunter2")
    assert "hunter2" not in str(docker.preview(IMAGE, inputs))


def test_a_preview_builds_nothing_and_foretells_all_but_the_digest(project: Path, docker: Engine) -> None:
    foretold = docker.preview(IMAGE, {"imageName": NAME, "build": {"context": "app", "platform": "linux/arm64"}})
    assert foretold == {
        "imageName": NAME,
        "baseImageName": NAME,
        "registryServer": "",
        "context": "app",
        "dockerfile": "app/Dockerfile",
        "platform": "linux/arm64",
        "repoDigest": UNKNOWN,
    }
    assert docker.preview(IMAGE, {"imageName": UNKNOWN, "build": {"context": UNKNOWN}})["imageName"] == UNKNOWN


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"build": {"context": "app", "dockerfile": "Dockerfile"}}, r"build\.dockerfile: .*'app/Dockerfile'"),
        ({"build": {"context": "nowhere"}}, r"build\.context: .*nowhere"),
        ({"build": {"context": "app", "builderVersion": "BuilderBuildKit"}}, r"build\.builderVersion: "),
        (
            {"imageName": "site/web:v1", "build": {"context": "app"}},
            r"imageName: 'site/web:v1' names no registry",
        ),
        ({"build": {"context": "app"}, "buildOnPreview": True}, r"buildOnPreview: "),
    ],
)
def test_what_cannot_be_built_is_refused_before_anything_is(
    project: Path, docker: Engine, inputs: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        docker.check(IMAGE, {"imageName": NAME} | inputs)


def test_a_daemon_that_does_not_answer_is_named(project: Path, docker: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(grpc.RpcError) as failure:
        docker.create(IMAGE, {"imageName": NAME, "build": {"context": "app"}})
    assert "tcp://127.0.0.1:1" in failure.value.details()
    assert "DOCKER_HOST" in failure.value.details()
