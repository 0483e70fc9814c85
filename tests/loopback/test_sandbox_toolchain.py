"""Where a tool comes from: PATH, then the cache, then a download that its checksum vouches for."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox import toolchain
from sandbox.errors import SandboxError
from sandbox.toolchain import Progress, Tool, resolve

PATH = "/usr/bin:/bin"
CONTENT = b"#!/bin/sh\necho v1.2.3\n"


@pytest.fixture(autouse=True)
def every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the sources are that this run itself may use."""
    monkeypatch.delenv(toolchain.SOURCES, raising=False)


def quiet(what: str, done: int, total: int) -> None:
    pass


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, format: str, *args: object) -> None:  # as the base class has it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/widget"
        running.shutdown()


def widget(url: str = "", checksum: str = "") -> Tool:
    def download(tool: Tool, to: Path, progress: Progress) -> None:
        toolchain._fetch(url, checksum, to / "widget", progress)

    return Tool(
        module="no-such-module",
        version="v1.2.3",
        binaries=("widget",),
        probe=("version",),
        ldflags="",
        download=download if url else None,
    )


def on_path(folder: Path, version: str) -> Path:
    binary = folder / "widget"
    binary.write_text(f"#!/bin/sh\necho {version}\n")
    binary.chmod(0o755)
    return binary


def test_the_exact_version_on_path_is_taken(tmp_path: Path) -> None:
    binary = on_path(tmp_path, "v1.2.3")

    assert resolve(widget(), tmp_path / "cache", quiet, path=f"{tmp_path}:{PATH}") == {"widget": binary}


def test_another_version_on_path_is_passed_over(tmp_path: Path, server: str) -> None:
    on_path(tmp_path, "v1.2.30")

    checksum = hashlib.sha256(CONTENT).hexdigest()
    found = resolve(widget(server, checksum), tmp_path / "cache", quiet, path=f"{tmp_path}:{PATH}")

    assert found["widget"].read_bytes() == CONTENT
    assert found["widget"].stat().st_mode & 0o111


def test_what_was_fetched_once_is_not_fetched_again(tmp_path: Path, server: str) -> None:
    first = resolve(widget(server, hashlib.sha256(CONTENT).hexdigest()), tmp_path, quiet, path=PATH)

    assert resolve(widget("http://127.0.0.1:9/gone", "none"), tmp_path, quiet, path=PATH) == first


def test_a_download_with_another_checksum_is_refused_and_leaves_nothing(tmp_path: Path, server: str) -> None:
    with pytest.raises(SandboxError, match="checksum"):
        resolve(widget(server, hashlib.sha256(b"something else").hexdigest()), tmp_path, quiet, path=PATH)

    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_source_that_is_switched_off_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setenv(toolchain.SOURCES, "path")

    with pytest.raises(SandboxError, match=toolchain.SOURCES):
        resolve(widget(server, hashlib.sha256(CONTENT).hexdigest()), tmp_path, quiet, path=PATH)
