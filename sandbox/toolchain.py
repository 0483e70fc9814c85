"""Where the engine's and Kubernetes' binaries come from: PATH, the official download, or a build.

A tool on PATH counts in its exact version; a download with the checksum that its publisher gives; a build is
of the published Go module, pinned by the go.mod and go.sum in `toolchain/`. What was fetched or built stays in
the cache.
"""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import requests

from sandbox.errors import SandboxError

SOURCES = "TOOLCHAIN_SOURCES"
"""Environment variable: which of `path`, `download` and `build` to try, in that order; by default all."""

_TIMEOUT = (5, 60)
"""Seconds to connect, and between two reads."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how far it is, and how far there is to go (0: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Binaries that come together.

    `module` is a folder of `toolchain/`; `probe` makes a binary say its version; `download` brings all of them to
    a folder, or is None where the publisher has no binaries.
    """

    module: str
    version: str
    binaries: tuple[str, ...]
    probe: tuple[str, ...]
    ldflags: str
    download: Callable[["Tool", Path, Progress], None] | None


def _kubernetes(tool: Tool, to: Path, progress: Progress) -> None:
    """https://kubernetes.io/releases/download/: each binary beside its .sha256."""
    for binary in tool.binaries:
        url = f"https://dl.k8s.io/release/{tool.version}/bin/linux/amd64/{binary}"
        checksum = requests.get(f"{url}.sha256", timeout=_TIMEOUT)
        checksum.raise_for_status()
        _fetch(url, checksum.text.split()[0], to / binary, progress)


def _pulumi(tool: Tool, to: Path, progress: Progress) -> None:
    """https://www.pulumi.com/docs/install/versions/: one archive with the engine and the language hosts."""
    release = f"https://github.com/pulumi/pulumi/releases/download/{tool.version}"
    archive = f"pulumi-{tool.version}-linux-x64.tar.gz"
    sums = requests.get(f"{release}/pulumi-{tool.version.removeprefix('v')}-checksums.txt", timeout=_TIMEOUT)
    sums.raise_for_status()
    checksum = next(line.split()[0] for line in sums.text.splitlines() if line.endswith(archive))
    _fetch(f"{release}/{archive}", checksum, to / archive, progress)
    with tarfile.open(to / archive) as tar:
        tar.extractall(to, filter="data")
    for file in (to / "pulumi").iterdir():
        file.rename(to / f".{file.name}")
    (to / "pulumi").rmdir()
    for file in to.glob(".pulumi*"):
        file.rename(to / file.name.removeprefix("."))
    (to / archive).unlink()


TOOLS = (
    Tool(
        module="pulumi",
        version="v3.259.0",
        binaries=("pulumi",),
        probe=("version",),
        ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.259.0",
        download=_pulumi,
    ),
    Tool(
        module="kubernetes",
        version="v1.34.4",
        binaries=(
            "kubectl",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kube-proxy",
            "kubelet",
        ),
        probe=("--version",),
        ldflags=(
            "-X k8s.io/component-base/version.gitVersion=v1.34.4"
            " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"
        ),
        download=_kubernetes,
    ),
    Tool(
        module="cloud-provider-aws",
        version="v1.34.3",
        binaries=("aws-cloud-controller-manager", "ecr-credential-provider"),
        probe=("--version",),
        ldflags="-X k8s.io/component-base/version.gitVersion=v1.34.3",
        download=None,  # published as an image only
    ),
    Tool(
        module="authenticator",
        version="v0.6.13",
        binaries=("aws-iam-authenticator",),
        probe=("version", "--short"),
        ldflags="-X sigs.k8s.io/aws-iam-authenticator/pkg.Version=v0.6.13",
        download=None,  # its releases' binaries are of other versions than its module
    ),
)
"""Kubernetes 1.34 is the newest line that works with Debian 12's containerd 1.6; the cloud controller follows."""


def allowed(source: str) -> bool:
    """Whether `path`, `download` or `build` may be tried."""
    return source in os.environ.get(SOURCES, "path download build").split()


def resolve(tool: Tool, cache: Path, progress: Progress, *, path: str) -> dict[str, Path]:
    """The path of each of the tool's binaries, looked for on `path`, fetched or built when there is no other way.

    Raises SandboxError when none of the allowed sources has the tool.
    """
    if allowed("path") and (found := _on_path(tool, path)):
        return found
    home = cache / "toolchain" / f"{tool.module}-{tool.version}"
    if home.exists():
        return {binary: home / binary for binary in tool.binaries}
    home.parent.mkdir(parents=True, exist_ok=True)
    failures = []
    with tempfile.TemporaryDirectory(dir=home.parent) as scratch:
        folder = Path(scratch, "bin")
        for source in ("download", "build"):
            if not allowed(source) or (source == "download" and tool.download is None):
                continue
            folder.mkdir()
            try:
                if source == "build":
                    _build(tool, folder, progress)
                elif tool.download is not None:
                    tool.download(tool, folder, progress)
            except (
                requests.RequestException,
                OSError,
                subprocess.CalledProcessError,
                StopIteration,
            ) as error:
                failures.append(f"{source}: {_reason(error)}")
                shutil.rmtree(folder)
                continue
            folder.rename(home)  # whole or not at all
            return {binary: home / binary for binary in tool.binaries}
    raise SandboxError(
        f"{tool.module} {tool.version} is not to be had.",
        why="Tried " + "; ".join(failures or [f"nothing: {SOURCES} is {os.environ.get(SOURCES)!r}"]) + ".",
        do=f"Put {', '.join(tool.binaries)} of {tool.version} on PATH, or install Go 1.21 or later, which fetches "
        "what it needs through its module proxy.",
    )


def _on_path(tool: Tool, path: str) -> dict[str, Path] | None:
    found = {binary: shutil.which(binary, path=path) for binary in tool.binaries}
    paths = {binary: Path(place) for binary, place in found.items() if place is not None}
    if len(paths) < len(found):
        return None
    for binary in paths.values():
        probe = ("version", "--client") if binary.name == "kubectl" else tool.probe
        said = subprocess.run([str(binary), *probe], capture_output=True, text=True, check=False)
        if tool.version not in said.stdout.split() and tool.version not in said.stderr.split():
            return None
    return paths


def _fetch(url: str, checksum: str, to: Path, progress: Progress) -> None:
    digest = hashlib.sha256()
    with requests.get(url, stream=True, timeout=_TIMEOUT) as response, to.open("wb") as file:
        response.raise_for_status()
        total, done = int(response.headers.get("Content-Length", 0)), 0
        for block in response.iter_content(1 << 20):
            file.write(block)
            digest.update(block)
            done += len(block)
            progress(f"fetching {to.name}", done, total)
    if digest.hexdigest() != checksum:
        raise OSError(f"{url} has the checksum {digest.hexdigest()}, not {checksum}")
    to.chmod(0o755)


def _build(tool: Tool, to: Path, progress: Progress) -> None:
    module = Path(__file__).parent / "toolchain" / tool.module
    environment = os.environ | {"GOFLAGS": "-mod=readonly -trimpath", "CGO_ENABLED": "0"}

    progress(f"fetching the modules of {tool.module}", 0, 0)
    listed = subprocess.run(
        ["go", "list", "-deps", "tool"],
        cwd=module,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    total, done, said = len(listed.stdout.splitlines()), 0, []
    command = ["go", "build", "-v", "-o", f"{to}/", "-ldflags", f"-s -w {tool.ldflags}", "tool"]
    with subprocess.Popen(command, cwd=module, env=environment, stderr=subprocess.PIPE, text=True) as build:
        for line in build.stderr or ():  # one package a line; what the build cache holds is not named
            said.append(line)
            done += 1
            progress(f"building {tool.module}", done, total)
    if build.returncode:
        raise subprocess.CalledProcessError(build.returncode, command, stderr="".join(said[-15:]))


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or "").strip()[-800:]
        return f"{' '.join(map(str, error.cmd[:3]))} ended with {error.returncode}: {said}"
    return f"{type(error).__name__}: {error}"
