"""The parts of the stand-in for pulumi-resource-docker that need no daemon."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from tests.fast.plugin_engine import UNKNOWN, Plugin, RefusedError, packed, plugin, secret, urn

NAME = "registry.example.test:5000/site/web:v1"
REGISTRY = {"server": "registry.example.test:5000", "username": "one", "password": "hunter2"}


@pytest.fixture(scope="module")
def docker() -> Iterator[Plugin]:
    with plugin() as started:
        yield started


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Create a build context."""
    write(tmp_path / "app/Dockerfile", "FROM scratch\n")
    write(tmp_path / "app/main.py", "print(1)\n")
    write(tmp_path / "app/static/site.css", "p {}\n")
    return tmp_path / "app"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def image(app: Path, **inputs: Any) -> dict[str, Any]:
    return {"imageName": NAME, "build": {"context": str(app)}} | inputs


def digest(docker: Plugin, app: Path) -> str:
    return str(docker.check(image(app))["build"]["contextDigest"])


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
def test_the_digest_changes_with(docker: Plugin, app: Path, what: str) -> None:
    (app / "main.py").chmod(0o644)
    (app / "link").symlink_to("static")
    before = digest(docker, app)
    CHANGES[what](app)
    assert digest(docker, app) != before


def test_the_digest_covers_a_dockerfile_outside_of_its_context(docker: Plugin, app: Path) -> None:
    outside = app.parent / "Outside"
    inputs = image(app, build={"context": str(app), "dockerfile": str(outside)})
    write(outside, "FROM scratch\nUSER 2\n")
    before = docker.check(inputs)
    write(outside, "FROM scratch\nUSER 3\n")
    assert docker.changes(before, inputs) == {"build.contextDigest": "UPDATE"}


def test_a_change_says_where_it_is_and_updates(docker: Plugin, app: Path) -> None:
    def build(**args: str) -> dict[str, Any]:
        return image(app, build={"context": str(app), "args": args})

    old = docker.check(build(BASE="one", GONE="x"))
    assert docker.changes(old, build(BASE="one", GONE="x")) == {}
    found = docker.changes(old, build(BASE=UNKNOWN, MORE="x") | {"imageName": f"{NAME}2"})
    assert found == {
        "imageName": "UPDATE",
        "build.args.BASE": "UPDATE",
        "build.args.GONE": "DELETE",
        "build.args.MORE": "ADD",
    }


def test_another_login_is_no_change_and_another_registry_is(docker: Plugin, app: Path) -> None:
    old = docker.check(image(app, registry=REGISTRY))
    assert docker.changes(old, image(app, registry=REGISTRY | {"username": "two", "password": "2"})) == {}
    other = image(app, registry=REGISTRY | {"server": "other.example.test"})
    assert docker.changes(old, other) == {"registry.server": "UPDATE"}


def test_ignored_changes_are_no_changes(docker: Plugin, app: Path) -> None:
    old = docker.check(image(app))
    write(app / "main.py", "print(2)\n")
    as_the_engine_gives_it = image(app, build=old["build"])
    assert docker.changes(old, as_the_engine_gives_it, ignore=("build",)) == {}
    assert docker.changes(old, as_the_engine_gives_it, ignore=("buil",)) == {"build.contextDigest": "UPDATE"}


def test_the_password_is_secret_even_if_the_program_forgets_it(docker: Plugin, app: Path) -> None:
    assert docker.check(image(app, registry=REGISTRY))["registry"]["password"] == secret("hunter2")


def test_the_engine_keeps_all_other_secrets(docker: Plugin) -> None:
    """The engine marks returned values as secret again only if the plugin does not claim to accept secrets."""
    assert not docker.stub.Configure(pb.ConfigureRequest(acceptSecrets=True)).acceptSecrets


def test_a_preview_builds_nothing_and_foretells_all_but_the_digest(docker: Plugin, app: Path) -> None:
    build = {"context": str(app), "platform": "linux/arm64"}
    assert docker.create(image(app, build=build, registry=REGISTRY), preview=True) == {
        "imageName": NAME,
        "baseImageName": NAME,
        "registryServer": REGISTRY["server"],
        "context": str(app),
        "dockerfile": str(app / "Dockerfile"),
        "platform": "linux/arm64",
        "repoDigest": UNKNOWN,
    }


@pytest.mark.parametrize(
    ("build", "unknown"),
    [
        (UNKNOWN, {"context", "dockerfile", "platform"}),
        ({"context": UNKNOWN}, {"context", "dockerfile"}),
        ({"context": ".", "dockerfile": UNKNOWN}, {"dockerfile"}),
    ],
)
def test_what_is_not_known_yet_stays_unknown(docker: Plugin, build: Any, unknown: set[str]) -> None:
    inputs = {"imageName": UNKNOWN, "build": build, "registry": UNKNOWN}
    foretold = docker.create(inputs, preview=True)
    always = {"imageName", "baseImageName", "registryServer", "repoDigest"}
    assert {name for name, value in foretold.items() if value == UNKNOWN} == always | unknown
    assert docker.check(inputs)["build"]["contextDigest"] == UNKNOWN


@pytest.mark.parametrize(
    ("inputs", "key"),
    [
        ({"imageName": None}, "imageName"),
        ({"imageName": "site/web:v1"}, "imageName"),
        ({"build": {"context": "/nowhere"}}, "build.context"),
        ({"build": {"dockerfile": "Dockerfile"}}, "build.dockerfile"),
        ({"build": {"builderVersion": "BuilderBuildKit"}}, "build.builderVersion"),
        ({"build": {"cacheFrom": {"images": ["x"]}}}, "build.cacheFrom.images"),
        ({"build": {"context": True}}, "build.context"),
        ({"build": {"args": {"A": ["hunter2"]}}}, "build.args.A"),
        ({"build": {"args": {"DOCKER_HOST": "x"}}}, "build.args.DOCKER_HOST"),
        ({"build": {"args": {"A=B": "x"}}}, "build.args.A=B"),
        ({"build": "app"}, "build"),
        ({"registry": {"address": "x"}}, "registry.address"),
        ({"skipPush": "yes"}, "skipPush"),
        ({"buildOnPreview": True}, "buildOnPreview"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(docker: Plugin, app: Path, inputs: Any, key: str) -> None:
    if isinstance(inputs.get("build"), dict):
        inputs = inputs | {"build": {"context": str(app)} | inputs["build"]}
    with pytest.raises(RefusedError, match=f"^{re.escape(key)}: ") as refused:
        docker.check(image(app) | inputs)
    assert "hunter2" not in str(refused.value)


def test_an_image_that_is_not_pushed_needs_no_registry_in_its_name(docker: Plugin, app: Path) -> None:
    assert docker.check(image(app, imageName="web", skipPush=True))["imageName"] == "web"


@pytest.mark.parametrize(
    "line",
    ["RUN cat <<EOF", "RUN true \\\n  && cat <<-'EOF'", "COPY <<END /x", "COPY --link a /", "ADD --link=true a /"],
)
def test_what_needs_a_newer_builder_is_refused_by_its_line(docker: Plugin, app: Path, line: str) -> None:
    write(app / "Dockerfile", f"FROM scratch\n# RUN cat <<EOF\n{line}\n")
    with pytest.raises(RefusedError, match=rf"^build\.dockerfile: line {3 + line.count(chr(10))}: "):
        docker.check(image(app))


def test_what_only_looks_like_it_is_not(docker: Plugin, app: Path) -> None:
    write(app / "Dockerfile", 'FROM scratch\nENV A="x <<EOF"\nRUN cat <<< word && echo $((1 << 2)) --linked\n')
    docker.check(image(app))


def test_other_resources_and_provider_inputs_are_refused_by_name(docker: Plugin) -> None:
    with pytest.raises(grpc.RpcError, match="docker:index/container:Container"):
        docker.check({}, kind="docker:index/container:Container")
    with pytest.raises(grpc.RpcError, match="docker:index/volume:Volume"):
        docker.stub.Delete(pb.DeleteRequest(urn=urn("docker:index/volume:Volume")))
    config = packed({"version": "5.2.0", "host": "unix:///x"})
    answer = docker.stub.CheckConfig(pb.CheckRequest(urn=urn("pulumi:providers:docker"), news=config))
    assert [each.reason.partition(":")[0] for each in answer.failures] == ["host"]
