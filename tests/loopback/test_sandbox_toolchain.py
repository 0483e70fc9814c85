"""The sources of a tool: PATH, then the cache, then a download with a checksum, then a build."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from werkzeug import Response

from sandbox import toolchain
from sandbox.errors import SandboxError
from sandbox.toolchain import Progress, Tool, download, find
from tests.troubles import provoked
from tests.web_server import serving

PATH = "/usr/bin:/bin"
CONTENT = b"#!/bin/sh\necho v1.2.3\n"
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow every source, whatever this test run itself may use."""
    monkeypatch.delenv(toolchain.SOURCES, raising=False)


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def server() -> Iterator[str]:
    """Serve the widget; yield its URL."""
    with serving(lambda _: Response(CONTENT)) as port:
        yield f"http://127.0.0.1:{port}/widget"


def widget(url: str = "", checksum: str = "", *, name: str = "widget", packages: tuple[str, ...] = ()) -> Tool:
    def fetched(version: str, to: Path, progress: Progress) -> None:
        download.fetch(url, checksum, to / name, progress)

    return Tool(
        name=name,
        version="v1.2.3",
        binaries=(name,),
        probe=("version",),
        module="pulumi",
        packages=packages,
        ldflags="",
        download=fetched if url else None,
    )


def on_path(folder: Path, version: str, name: str = "widget") -> Path:
    folder.mkdir(exist_ok=True)
    binary = folder / name
    binary.write_text(f"#!/bin/sh\necho {version}\n")
    binary.chmod(0o755)
    return binary


def found(tool: Tool, cache: Path, *, path: str = PATH) -> Path:
    [one] = find([tool], cache, quiet, path=path)
    return one.binaries[tool.name]


def test_the_exact_version_on_path_is_taken(tmp_path: Path) -> None:
    binary = on_path(tmp_path, "v1.2.3")

    assert found(widget(), tmp_path / "cache", path=f"{tmp_path}:{PATH}") == binary


def test_another_version_on_path_is_passed_over(tmp_path: Path, server: str) -> None:
    on_path(tmp_path, "v1.2.30")

    there = found(widget(server, CHECKSUM), tmp_path / "cache", path=f"{tmp_path}:{PATH}")

    assert there.read_bytes() == CONTENT
    assert there.stat().st_mode & 0o111


def test_a_plugin_is_taken_from_where_the_engine_keeps_that_version(tmp_path: Path) -> None:
    binary = on_path(tmp_path / "resource-widget-v1.2.3", "nothing", "pulumi-resource-widget")

    assert found(widget(name="pulumi-resource-widget"), tmp_path / "cache", path=str(binary.parent)) == binary


def test_what_was_fetched_once_is_not_fetched_again(tmp_path: Path, server: str) -> None:
    first = found(widget(server, CHECKSUM), tmp_path)

    assert found(widget("http://127.0.0.1:9/gone", "none"), tmp_path) == first


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(tmp_path: Path, server: str) -> None:
    with pytest.raises(SandboxError, match=CHECKSUM):
        found(widget(server, "0" * 64), tmp_path)

    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "lock"]


def test_a_source_that_is_switched_off_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setenv(toolchain.SOURCES, "path")

    with pytest.raises(SandboxError, match=toolchain.SOURCES) as failed:
        found(widget(server, CHECKSUM), tmp_path)
    provoked("… is not available", str(failed.value))
    assert "install Go" not in str(failed.value)


def test_no_source_that_is_switched_off_is_advised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(toolchain.SOURCES, "download")

    with pytest.raises(SandboxError) as failed:
        found(widget("http://127.0.0.1:9/gone", packages=("p",)), tmp_path)
    *_, advice = str(failed.value).splitlines()
    assert toolchain.SOURCES in advice
    assert "on PATH" not in advice
    assert "Go" not in advice


def test_what_cannot_be_fetched_is_built_in_one_go_and_once(tmp_path: Path) -> None:
    asked = []

    def build(tools: Sequence[Tool], work: Path, progress: Progress) -> Path:
        asked.append([tool.name for tool in tools])
        for tool in tools:
            on_path(work, "v1.2.3", tool.name)
        return work

    tools = [widget(name="one", packages=("p",)), widget("http://127.0.0.1:9/gone", name="two", packages=("q",))]
    for _ in range(2):
        built = find(tools, tmp_path, quiet, path=PATH, build=build)
        assert all(each.source == "build" and each.binaries[each.tool.name].exists() for each in built)
    assert asked == [["one", "two"]]


def test_a_build_that_was_killed_is_no_obstacle(tmp_path: Path, server: str) -> None:
    (tmp_path / "toolchain/work/widget").mkdir(parents=True)

    assert found(widget(server, CHECKSUM), tmp_path).read_bytes() == CONTENT
