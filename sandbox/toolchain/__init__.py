"""Find the binaries of the engine, the plugins and Kubernetes: on PATH, as an official download, or by a build.

A tool on PATH must have the exact version; a download must have its publisher's checksum; a build is of published Go
modules. Downloads and builds are kept in the cache.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from sandbox.errors import SandboxError
from sandbox.toolchain import aws_provider, build as builds
from sandbox.toolchain.aws_provider import WAIT as AWS_WAIT
from sandbox.toolchain.download import Progress, architecture
from sandbox.toolchain.tools import DOCKER_PLUGIN, ENGINE, GO, METRICS_SERVER, TOOLS, Tool

__all__ = [
    "AWS_WAIT",
    "DOCKER_PLUGIN",
    "ENGINE",
    "METRICS_SERVER",
    "SOURCES",
    "TOOLS",
    "Found",
    "Progress",
    "Tool",
    "allowed",
    "find",
]

SOURCES = "TOOLCHAIN_SOURCES"
"""Environment variable: which of `path`, `download` and `build` are allowed, tried in that order; by default all. A
tool without a published binary is always built."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A tool, its source and its binaries."""

    tool: Tool
    source: str
    """`path`, `download` or `build`."""
    binaries: dict[str, Path]


def allowed(source: str) -> bool:
    """Return whether a source, `path`, `download` or `build`, is allowed."""
    return source in os.environ.get(SOURCES, "path download build").split()


def find(
    tools: Sequence[Tool],
    cache: Path,
    progress: Progress,
    *,
    path: str,
    build: Callable[[Sequence[Tool], Path, Progress], Path] = builds.build,
) -> list[Found]:
    """Return every tool, from `path` or the cache; download what is missing, and build together what has no download.

    Raises SandboxError when none of the allowed sources has a tool.
    """
    found = {tool.name: found for tool in tools if (found := _on_path(tool, path) or _cached(tool, cache))}
    missing = [tool for tool in tools if tool.name not in found]
    if missing:
        with _locked(cache, progress) as scratch:
            for tool in missing:
                if here := _cached(tool, cache) or _downloaded(tool, cache, scratch, progress):
                    found[tool.name] = here
            unpublished = [tool for tool in missing if tool.name not in found]
            found |= _built(unpublished, cache, scratch, progress, build)
    return [found[tool.name] for tool in tools]


def _on_path(tool: Tool, path: str) -> Found | None:
    if not allowed("path"):
        return None
    places = {binary: shutil.which(binary, path=path) for binary in tool.binaries}
    binaries = {binary: Path(place) for binary, place in places.items() if place is not None}
    if len(binaries) < len(places) or not all(_is_of_version(tool, binary) for binary in binaries.values()):
        return None
    return Found(tool=tool, source="path", binaries=binaries)


def _is_of_version(tool: Tool, binary: Path) -> bool:
    if binary.parent.name == tool.folder:
        return True  # the engine's plugin folder has one version
    if not tool.probe:
        return False
    probe = ("version", "--client") if binary.name == "kubectl" else tool.probe
    said = subprocess.run([str(binary), *probe], capture_output=True, text=True, check=False)
    words = {word.removeprefix("v") for word in (said.stdout + said.stderr).split()}
    return tool.version.removeprefix("v") in words


def _home(tool: Tool, cache: Path, source: str) -> Path:
    """Return the tool's folder in the cache, one for each version, and for a build one for each recipe."""
    name = f"{tool.name}-{tool.version}-{architecture()}-{source}"
    return cache / "toolchain" / (f"{name}-{_recipe(tool)}" if source == "build" else name)


def _recipe(tool: Tool) -> str:
    """Return a digest of the files in this repository on which a build of the tool depends."""
    module = GO / tool.module
    own = [
        file for package in tool.packages if package.startswith("./") for file in sorted((module / package).iterdir())
    ]
    digest = hashlib.sha256(tool.ldflags.encode())
    for file in (module / "go.mod", module / "go.sum", Path(aws_provider.__file__), Path(builds.__file__), *own):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:8]


def _cached(tool: Tool, cache: Path) -> Found | None:
    for source in ("download", "build"):
        home = _home(tool, cache, source)
        if home.exists() and _may_use(tool, source):
            return Found(tool=tool, source=source, binaries={binary: home / binary for binary in tool.binaries})
    return None


def _may_use(tool: Tool, source: str) -> bool:
    if source == "build":
        return bool(tool.packages) and (allowed("build") or tool.download is None)
    return allowed(source)


@contextmanager
def _locked(cache: Path, progress: Progress) -> Iterator[Path]:
    """Lock the cache for this process, and yield an empty folder to work in."""
    home = cache / "toolchain"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another download or build to end", 0, 0)
            fcntl.flock(lock, fcntl.LOCK_EX)
        scratch = home / "work"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch)


def _downloaded(tool: Tool, cache: Path, scratch: Path, progress: Progress) -> Found | None:
    if tool.download is None or not allowed("download"):
        return None
    folder = scratch / tool.name
    folder.mkdir()
    try:
        tool.download(tool.version, folder, progress)
    except (requests.RequestException, OSError, StopIteration) as error:
        if _may_use(tool, "build"):
            progress(f"{tool.name} cannot be downloaded ({error}), so it is built", 0, 0)
            return None
        raise _unavailable(tool, error) from error
    folder.rename(_home(tool, cache, "download"))  # atomic
    return _cached(tool, cache)


def _built(
    tools: list[Tool],
    cache: Path,
    scratch: Path,
    progress: Progress,
    build: Callable[[Sequence[Tool], Path, Progress], Path],
) -> dict[str, Found]:
    for tool in tools:
        if not _may_use(tool, "build"):
            raise _unavailable(tool, f"{SOURCES} is {os.environ.get(SOURCES)!r}, and none of these has it")
    if not tools:
        return {}
    try:
        binaries = build(tools, scratch / "build", progress)
    except (OSError, subprocess.CalledProcessError) as error:
        raise _unavailable(tools[0], error) from error
    for tool in tools:
        folder = scratch / f"{tool.name}-built"
        folder.mkdir()
        for file in {path for name in tool.binaries for path in (binaries / name, (binaries / name).resolve())}:
            file.rename(folder / file.name)
        folder.rename(_home(tool, cache, "build"))  # atomic
    return {tool.name: found for tool in tools if (found := _cached(tool, cache))}


def _unavailable(tool: Tool, why: Exception | str) -> SandboxError:
    if isinstance(why, subprocess.CalledProcessError):
        why = f"`{why.cmd}` ended with {why.returncode}: {(why.stderr or '').strip()[-800:]}"
    ways = []
    if allowed("path"):
        ways.append(f"put {', '.join(tool.binaries)} of {tool.version} on PATH")
    if _may_use(tool, "build"):
        ways.append("install Go 1.21 or later, which downloads the sources from its module proxy")
    if not all(map(allowed, ("path", "download", "build"))):
        ways.append(f"unset {SOURCES}, so that every source is tried")
    do = ", or ".join(ways)
    return SandboxError(
        f"{tool.name} {tool.version} is not available.",
        why=str(why),
        do=f"{do[0].upper()}{do[1:]}.",
    )
