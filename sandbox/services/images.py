"""Images made here instead of pulled: Python's slim ones, and the pause image."""

import ast
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import docker
import docker.errors

from sandbox.errors import SandboxError
from sandbox.layout import Layout

BASE_IMAGE = "python:3.11-slim-bookworm"
"""The base image of the sandbox's own stacks; every start imports it."""

PAUSE_IMAGE = "sandbox/pause:1"
"""The image of the process that holds a pod's namespaces."""

DEBIANS = {"3.11": "bookworm", "3.13": "trixie"}
"""The Python versions of images that can be made, each with the Debian release that has it."""

_SLIM = re.compile(r"python:(3\.\d+)(?:\.\d+)?-slim(?:-bookworm|-trixie)?")
# Includes what Python's official images have too, such as its headers.
_PACKAGES = ("python3", "python3-venv", "python3-dev", "ca-certificates", "netbase", "tzdata")
_LEFT_OUT = (
    *("./dev/*", "./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/man/*"),
    *("./usr/share/locale/*", "./usr/lib/python3*/config-*/*.a"),
)
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def python_of(image: str) -> str | None:
    """Return the Python version of an image that can be made here; None for any other image."""
    match = _SLIM.fullmatch(image)
    return match[1] if match and match[1] in DEBIANS else None


def import_base(layout: Layout) -> None:
    """Import the base image into the Docker daemon, unless it has it."""
    client = docker.DockerClient(base_url=f"unix://{layout.docker_socket}", timeout=120)
    try:
        client.images.get(BASE_IMAGE)
    except docker.errors.ImageNotFound:
        import_python(client, BASE_IMAGE, layout.cache)


def import_python(client: docker.DockerClient, image: str, cache: Path) -> str:
    """Make an image that `python_of` knows, import it into a Docker daemon, and return what is in it.

    Raises SandboxError when it cannot be made.
    """
    python = python_of(image) or ""
    archive = python_archive(cache, python)
    version = archive.stem.rpartition("-")[2]
    variables = {"PATH": _PATH, "LANG": "C.UTF-8", "PYTHON_VERSION": version}
    changes = [f"ENV {name}={value}" for name, value in variables.items()]
    changes += ["WORKDIR /", 'CMD ["python3"]']
    repository, _, tag = image.partition(":")
    with archive.open("rb") as content:
        client.api.import_image_from_data(content, repository=repository, tag=tag, changes=changes)
    return f"Debian's {DEBIANS[python]} with Python {version}"


def base_archive(cache: Path) -> Path:
    """Return the archive of the base image's files."""
    return python_archive(cache, python_of(BASE_IMAGE) or "")


def python_archive(cache: Path, python: str) -> Path:
    """Return the archive of an image's files with that Python; make it once with debootstrap (a minute or more).

    Python's official images have it in /usr/local. Here that is a virtual environment, so that `python` and `pip` are
    found, and pip installs to the same place. apt and pip in the image use the sources, the proxy and the trusted
    authorities of this machine. The cache has one archive for each Debian release and configuration; its name ends with
    Python's full version. Raises SandboxError when it cannot be made.
    """
    suite = DEBIANS[python]
    sources, apt, pip = _sources(suite), _apt(), _pip()
    made_of = repr((_PACKAGES, _LEFT_OUT, sources, apt, pip, _AUTHORITIES.read_text()))
    name = f"{suite}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}"
    folder = cache / "base"
    folder.mkdir(parents=True, exist_ok=True)
    if found := next(folder.glob(f"{name}-*.tar"), None):
        return found
    log = folder / f"{suite}.log"
    with tempfile.TemporaryDirectory(dir=folder) as scratch, log.open("wb") as out:
        root, part = Path(scratch, "root"), Path(scratch, "part.tar")
        mirror = sources.split()[1:2]
        commands: list[list[str | Path]] = [
            ["debootstrap", "--variant=minbase", f"--include={','.join(_PACKAGES)}", suite, root, *mirror],
            # With the system's packages: in any other virtual environment `pip install --user` fails.
            ["chroot", root, "python3", "-I", "-m", "venv", "--system-site-packages", "/usr/local"],
        ]
        try:
            for command in commands:
                subprocess.run(command, stdout=out, stderr=out, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SandboxError(
                f"An image with Python {python} could not be made.",
                why=f"{error}.",
                do="It needs root, debootstrap and access to Debian's package archive.",
                log=log,
            ) from error
        shutil.copy(_AUTHORITIES, root / "etc/ssl/certs/ca-certificates.crt")
        for file, content in {"apt/sources.list": sources, "apt/apt.conf.d/90machine": apt, "pip.conf": pip}.items():
            if content:
                (root / "etc" / file).write_text(content)
        left_out = [f"--exclude={each}" for each in _LEFT_OUT]
        command = ["tar", "--create", "--file", part, "--directory", root, "--one-file-system", *left_out, "."]
        subprocess.run(command, check=True)
        version = re.search(r"^version = (\S+)", (root / "usr/local/pyvenv.cfg").read_text(), re.MULTILINE)
        return part.rename(folder / f"{name}-{version[1] if version else python}.tar")


def _sources(suite: str) -> str:
    """Return apt's sources for a Debian release: this machine's own. Empty, for debootstrap's default, off Debian."""
    form = ["--format", "$(ORIGIN) $(SITE) $(RELEASE)", "Created-By: Packages"]
    listed = _output("apt-get", "indextargets", *form).splitlines()
    found = [line.split() for line in dict.fromkeys(listed) if line.startswith("Debian ")]
    own = next((release for _, _, release in found if "-" not in release), "")
    lines = [
        f"deb {site} {release.replace(own, suite)} main\n" for _, site, release in found if release.startswith(own)
    ]
    return "".join(lines)


def _apt() -> str:
    """Return this machine's apt settings for its proxy, and on whether a mirror may be out of date."""
    kept = ("Acquire::http", "Acquire::Check-")
    return "".join(f"{line}\n" for line in _output("apt-config", "dump").splitlines() if line.startswith(kept))


def _pip() -> str:
    """Return a pip.conf with the indexes of this machine's pip and the image's trusted authorities."""
    kept = ("index-url", "extra-index-url", "trusted-host")
    found = (line.partition("=") for line in _output(sys.executable, "-m", "pip", "config", "list").splitlines())
    own = {key.rpartition(".")[2]: ast.literal_eval(value) for key, _, value in found}
    lines = {key: value for key, value in own.items() if key in kept} | {"cert": _AUTHORITIES}
    return "[global]\n" + "".join(f"{key} = {' '.join(str(value).split())}\n" for key, value in lines.items())


def _output(*command: str) -> str:
    """Return a command's standard output; empty when there is no such command."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def import_pause(layout: Layout) -> None:
    """Make the pause image, a static busybox that sleeps, and import it into containerd, unless it has it."""
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
