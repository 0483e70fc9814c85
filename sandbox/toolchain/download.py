"""Download official binaries, and verify them with their publishers' checksums."""

import hashlib
import platform
import tarfile
from collections.abc import Callable
from pathlib import Path

import requests

from sandbox.errors import SandboxError

Progress = Callable[[str, int, int], None]
"""Called with the current action, the units done, and the total (0: unknown)."""

_TIMEOUT = (5, 60)
"""Timeouts in seconds: to connect, and between two reads."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""By Python's name of a machine: the name that Go and the publishers use."""


def architecture() -> str:
    """Return this machine's architecture by Go's name. Raises SandboxError for one without published binaries."""
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise SandboxError(
            f"The embedded cloud does not run on {machine}.",
            why="Its parts are published only for x86_64 and aarch64.",
            do="Use a machine or a virtual machine with one of these.",
        )
    return _ARCHITECTURES[machine]


def kubernetes(version: str, to: Path, progress: Progress) -> None:
    """Download Kubernetes' binaries, each with its .sha256 (https://kubernetes.io/releases/download/)."""
    for binary in ("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"):
        url = f"https://dl.k8s.io/release/{version}/bin/linux/{architecture()}/{binary}"
        fetch(url, _text(f"{url}.sha256").split()[0], to / binary, progress)


def pulumi(version: str, to: Path, progress: Progress) -> None:
    """Download the engine and its language hosts, one archive (https://www.pulumi.com/docs/install/versions/)."""
    release = f"https://github.com/pulumi/pulumi/releases/download/{version}"
    machine = {"amd64": "x64"}.get(architecture(), architecture())
    archive = f"pulumi-{version}-linux-{machine}.tar.gz"
    checksums = f"{release}/pulumi-{version.removeprefix('v')}-checksums.txt"
    _unpack(f"{release}/{archive}", _checksum(checksums, archive), to, progress, strip="pulumi/")


def plugin(name: str) -> Callable[[str, Path, Progress], None]:
    """Return a function that downloads a provider's plugin: an archive in the release of its repository."""

    def download(version: str, to: Path, progress: Progress) -> None:
        release = f"https://github.com/pulumi/pulumi-{name}/releases/download/{version}"
        archive = f"pulumi-resource-{name}-{version}-linux-{architecture()}.tar.gz"
        checksums = f"{release}/pulumi-{name}_{version.removeprefix('v')}_checksums.txt"
        _unpack(f"{release}/{archive}", _checksum(checksums, archive), to, progress, strip="")

    return download


def fetch(url: str, checksum: str, to: Path, progress: Progress) -> None:
    """Download a file. Raises OSError when its SHA-256 differs, and whatever requests raises."""
    digest = hashlib.sha256()
    with requests.get(url, stream=True, timeout=_TIMEOUT) as response, to.open("wb") as file:
        response.raise_for_status()
        total, done = int(response.headers.get("Content-Length", 0)), 0
        for block in response.iter_content(1 << 20):
            file.write(block)
            digest.update(block)
            done += len(block)
            progress(f"downloading {to.name}", done, total)
    if digest.hexdigest() != checksum:
        raise OSError(f"{url} has the checksum {digest.hexdigest()}, not {checksum}")
    to.chmod(0o755)


def _unpack(url: str, checksum: str, to: Path, progress: Progress, *, strip: str) -> None:
    """Download an archive and unpack the files of its folder `strip`."""
    archive = to / url.rpartition("/")[2]
    fetch(url, checksum, archive, progress)
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.isfile() and member.name.startswith(strip):
                member.name = member.name.removeprefix(strip)
                tar.extract(member, to, filter="data")
    archive.unlink()


def _checksum(url: str, archive: str) -> str:
    return next(line.split()[0] for line in _text(url).splitlines() if line.endswith(archive))


def _text(url: str) -> str:
    answer = requests.get(url, timeout=_TIMEOUT)
    answer.raise_for_status()
    return answer.text
