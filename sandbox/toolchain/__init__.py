"""Where the engine's, the plugins' and Kubernetes' binaries come from: PATH, the official download, or a build.

A tool on PATH counts in its exact version; a download with the checksum that its publisher gives; a build is of
published Go modules. What was fetched or built stays in the cache.
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
from sandbox.toolchain.tools import DOCKER_PLUGIN, ENGINE, GO, TOOLS, Tool

__all__ = [
    "AWS_WAIT",
    "DOCKER_PLUGIN",
    "ENGINE",
    "SOURCES",
    "TOOLS",
    "Found",
    "Progress",
    "Tool",
    "allowed",
    "find",
]

SOURCES = "TOOLCHAIN_SOURCES"
"""Environment variable: which of `path`, `download` and `build` may be tried, in that order; by default all. A tool
that nobody publishes as a binary is built even so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A tool, and where it is from."""

    tool: Tool
    source: str
    """`path`, `download` or `build`."""
    binaries: dict[str, Path]


def allowed(source: str) -> bool:
    """Whether `path`, `download` or `build` may be tried."""
    return source in os.environ.get(SOURCES, "path download build").split()


def find(
    tools: Sequence[Tool],
    cache: Path,
    progress: Progress,
    *,
    path: str,
    build: Callable[[Sequence[Tool], Path, Progress], Path] = builds.build,
) -> list[Found]:
    """Find every tool on `path` or in the cache; fetch what is missing, and build together what cannot be fetched.

    Raises SandboxError when none of the allowed sources has a tool.
    """
    found = {tool.name: found for tool in tools if (found := _on_path(tool, path) or _cached(tool, cache))}
    missing = [tool for tool in tools if tool.name not in found]
    if missing:
        with _alone(cache, progress) as scratch:
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
        return True  # the engine keeps one version in it
    if not tool.probe:
        return False
    probe = ("version", "--client") if binary.name == "kubectl" else tool.probe
    said = subprocess.run([str(binary), *probe], capture_output=True, text=True, check=False)
    words = {word.removeprefix("v") for word in (said.stdout + said.stderr).split()}
    return tool.version.removeprefix("v") in words


def _home(tool: Tool, cache: Path, source: str) -> Path:
    """The tool's folder in the cache: another one for another version, and a build for another recipe of it."""
    name = f"{tool.name}-{tool.version}-{architecture()}-{source}"
    return cache / "toolchain" / (f"{name}-{_recipe(tool)}" if source == "build" else name)


def _recipe(tool: Tool) -> str:
    """A digest of what a build of the tool depends on in this repository."""
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
        if home.exists() and _may(tool, source):
            return Found(tool=tool, source=source, binaries={binary: home / binary for binary in tool.binaries})
    return None


def _may(tool: Tool, source: str) -> bool:
    if source == "build":
        return bool(tool.packages) and (allowed("build") or tool.download is None)
    return allowed(source)


@contextmanager
def _alone(cache: Path, progress: Progress) -> Iterator[Path]:
    """Hold the cache for this process; give a folder to work in, without what a killed one left there."""
    home = cache / "toolchain"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another fetch or build to end", 0, 0)
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
        if _may(tool, "build"):
            progress(f"{tool.name} cannot be downloaded ({error}): it is built", 0, 0)
            return None
        raise _not_to_be_had(tool, error) from error
    folder.rename(_home(tool, cache, "download"))  # whole or not at all
    return _cached(tool, cache)


def _built(
    tools: list[Tool],
    cache: Path,
    scratch: Path,
    progress: Progress,
    build: Callable[[Sequence[Tool], Path, Progress], Path],
) -> dict[str, Found]:
    for tool in tools:
        if not _may(tool, "build"):
            raise _not_to_be_had(tool, f"{SOURCES} is {os.environ.get(SOURCES)!r}, and it is in none of these")
    if not tools:
        return {}
    try:
        binaries = build(tools, scratch / "build", progress)
    except (OSError, subprocess.CalledProcessError) as error:
        raise _not_to_be_had(tools[0], error) from error
    for tool in tools:
        folder = scratch / f"{tool.name}-built"
        folder.mkdir()
        for file in {path for name in tool.binaries for path in (binaries / name, (binaries / name).resolve())}:
            file.rename(folder / file.name)
        folder.rename(_home(tool, cache, "build"))  # whole or not at all
    return {tool.name: found for tool in tools if (found := _cached(tool, cache))}


def _not_to_be_had(tool: Tool, why: Exception | str) -> SandboxError:
    if isinstance(why, subprocess.CalledProcessError):
        why = f"`{why.cmd}` ended with {why.returncode}: {(why.stderr or '').strip()[-800:]}"
    return SandboxError(
        f"{tool.name} {tool.version} is not to be had.",
        why=str(why),
        do=f"Put {', '.join(tool.binaries)} of {tool.version} on PATH, or install Go 1.21 or later, which fetches "
        "what it needs through its module proxy.",
    )
