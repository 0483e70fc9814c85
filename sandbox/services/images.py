"""The two images that the machine needs and no registry brings: the slim base, and what holds a pod open."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import docker
import docker.errors

from sandbox.errors import SandboxError
from sandbox.layout import Layout

BASE_IMAGE = "python:3.11-slim-bookworm"
"""The name under which the slim base image is known to the sandbox's Docker daemon."""

PAUSE_IMAGE = "sandbox/pause:1"
"""The image of the process that holds a pod's namespaces."""

_PACKAGES = ("python3", "python3-venv", "ca-certificates")
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP = "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n"
"""pip inside a build trusts what the host trusts, a company's proxy for instance."""


def base_archive(layout: Layout) -> Path:
    """The base image's files: Debian 12 with Python and venv, made once by debootstrap (some minutes).

    The cache keeps one archive for each set of packages and of the host's trusted authorities.
    """
    key = hashlib.sha256(_AUTHORITIES.read_bytes() + " ".join(_PACKAGES).encode() + _PIP.encode()).hexdigest()[:12]
    archive = layout.cache / "base" / f"bookworm-{key}.tar"
    if archive.exists():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True)
    log = layout.logs / "debootstrap.log"
    with tempfile.TemporaryDirectory(dir=archive.parent) as scratch, log.open("wb") as out:
        root, part = Path(scratch, "root"), Path(scratch, "part.tar")
        made = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", "bookworm", str(root)],
            stdout=out,
            stderr=out,
            check=False,
        )
        if made.returncode:
            raise SandboxError(
                "The base image could not be made.",
                why=f"debootstrap ended with {made.returncode}.",
                do="It needs root and Debian's package archive.",
                log=log,
            )
        shutil.copy(_AUTHORITIES, root / "etc/ssl/certs/ca-certificates.crt")
        (root / "etc/pip.conf").write_text(_PIP)
        subprocess.run(
            ["tar", "--create", "--file", str(part), "--directory", str(root), "--one-file-system",
             "--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "--exclude=./dev/*",
             "--exclude=./usr/share/doc/*", "--exclude=./usr/share/locale/*", "."],
            check=True,
        )  # fmt: skip
        part.rename(archive)
    return archive


def import_base(layout: Layout) -> None:
    """Give the Docker daemon the base image, unless it has it."""
    client = docker.DockerClient(base_url=f"unix://{layout.docker_socket}", timeout=120)
    try:
        client.images.get(BASE_IMAGE)
    except docker.errors.ImageNotFound:
        repository, _, tag = BASE_IMAGE.partition(":")
        with base_archive(layout).open("rb") as archive:
            client.api.import_image_from_data(archive, repository=repository, tag=tag)


def import_pause(layout: Layout) -> None:
    """Give containerd the pause image, a static busybox that sleeps, unless it has it; made with the Docker daemon."""
    ctr = ["ctr", "--address", str(layout.containerd_socket), "--namespace", "k8s.io", "images"]
    listed = subprocess.run([*ctr, "list", "--quiet"], check=True, capture_output=True, text=True)
    if f"docker.io/{PAUSE_IMAGE}" in listed.stdout.split():
        return
    client = docker.DockerClient(base_url=f"unix://{layout.docker_socket}", timeout=120)
    busybox = shutil.which("busybox") or "/bin/busybox"
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(os.path.realpath(busybox), arcname="busybox")
    repository, _, tag = PAUSE_IMAGE.partition(":")
    client.api.import_image_from_data(
        layer.getvalue(),
        repository=repository,
        tag=tag,
        changes=['ENTRYPOINT ["/busybox", "sleep", "2147483647"]'],
    )
    archive = layout.run / "pause.tar"
    with archive.open("wb") as file:
        for block in client.images.get(PAUSE_IMAGE).save(named=True):
            file.write(block)
    subprocess.run([*ctr, "import", str(archive)], check=True, capture_output=True)
    archive.unlink()
