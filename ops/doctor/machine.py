"""This machine: Python, its packages, pulumi, its plugins, and the commands that a cluster's driver calls."""

import json
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from infra.cluster.eks.settings import EksSettings
from infra.cluster.kops.command import unfit
from infra.cluster.kops.settings import KopsSettings
from infra.finding import Finding, State
from infra.settings.stack import ClusterSettings
from ops import engine
from ops.errors import OpsError

PYTHON = (3, 11)
"""The oldest Python: `contextlib.chdir` and `enum.StrEnum` came with it."""

REQUIREMENTS = "requirements-dev.txt"
"""What the virtual environment is made from, with all that it refers to by -r."""

_KOPS = "https://github.com/kubernetes/kops/releases/latest/download/kops"
"""Where kops' maintainers publish it: the system and the architecture follow."""

_AWS = "install the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
"""No command does it on every system."""

_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The kernel's words for what a release calls otherwise."""

_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;#]+)")


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """Look at the Python that runs this."""
    found, oldest = ".".join(map(str, version)), ".".join(map(str, PYTHON))
    if version[: len(PYTHON)] >= PYTHON:
        return Finding(check="Python", state=State.OK, found=found)
    return Finding(
        check="Python",
        state=State.WRONG,
        found=f"{found}, older than {oldest}",
        mend=f"rm -rf .venv && make PYTHON=python{oldest} .venv/.installed",
    )


def packages() -> Finding:
    """Compare the project's virtual environment with the requirements."""
    install = f".venv/bin/python -m pip install -r {REQUIREMENTS}"
    there = {_normal(each.name): each.version for each in _installed()}
    if not there:
        return Finding(
            check="packages",
            state=State.MISSING,
            found="no virtual environment in .venv",
            mend=f"python3 -m venv .venv && {install}",
        )
    wanted = dict(_pins(engine.PROJECT / REQUIREMENTS))
    wrong = [
        f"{name} {there.get(_normal(name), 'is missing')}, not {version}"
        for name, version in wanted.items()
        if there.get(_normal(name)) != version
    ]
    if wrong:
        missing = all("is missing" in each for each in wrong)
        state = State.MISSING if missing else State.WRONG
        return Finding(check="packages", state=state, found="; ".join(wrong), mend=install)
    return Finding(check="packages", state=State.OK, found=f"{len(wanted)} as {REQUIREMENTS} pins them")


def cli() -> Finding:
    """Compare the pulumi command with the SDK: it has to be of the same major version, and no older minor."""
    sdk = next((each.version for each in _installed() if _normal(each.name) == "pulumi"), "")
    install = f"curl -fsSL https://get.pulumi.com | sh -s -- --version {sdk}".removesuffix(" --version ")
    if shutil.which("pulumi") is None:
        return Finding(check="Pulumi", state=State.MISSING, found="no `pulumi` on PATH", mend=install)
    try:
        said = engine.pulumi("version").strip()
    except OpsError as error:
        return Finding(check="Pulumi", state=State.WRONG, found=str(error), mend=install)
    version = said.removeprefix("v")
    if sdk and (_major(version) != _major(sdk) or _minor(version) < _minor(sdk)):
        found = f"{version}, which does not fit the SDK's {sdk}"
        return Finding(check="Pulumi", state=State.WRONG, found=found, mend=install)
    return Finding(check="Pulumi", state=State.OK, found=f"{version}, the SDK {sdk or 'is missing'}")


def plugins() -> list[Finding]:
    """Look for the plugin of each Pulumi package that is installed, and for the host of the program's language."""
    wanted = sorted(_plugins())
    try:
        listed = json.loads(engine.pulumi("plugin", "ls", "--json"))
    except OpsError:
        return [
            Finding(check=f"plugin {name}", state=State.UNKNOWN, found="pulumi is needed for it") for name, _ in wanted
        ]
    installed = {(each["name"], str(each.get("version", ""))) for each in listed if each["kind"] == "resource"}
    findings = [_plugin(name, version, installed) for name, version in wanted]
    beside = Path(str(shutil.which("pulumi"))).resolve().parent / "pulumi-language-python"
    host = beside if beside.exists() else shutil.which("pulumi-language-python")
    return [
        *findings,
        Finding(check="plugin python", state=State.OK, found=f"{host}")
        if host
        else Finding(
            check="plugin python",
            state=State.MISSING,
            found="no pulumi-language-python beside pulumi or on PATH",
            mend="curl -fsSL https://get.pulumi.com | sh",
        ),
    ]


def driver(cluster: ClusterSettings) -> Finding:
    """Look for the command that the cluster's driver calls, as the driver itself does before it calls it."""
    check = f"driver {cluster.driver}"
    if isinstance(cluster, EksSettings):
        found = shutil.which("aws")
        if found:
            return Finding(check=check, state=State.OK, found=found)
        missing = "no `aws` on PATH, which makes the login to the cluster"
        return Finding(check=check, state=State.MISSING, found=missing, mend=_AWS)
    if not isinstance(cluster, KopsSettings):
        return Finding(check=check, state=State.NOT_NEEDED, found="it calls no command")
    reason = unfit(cluster.kubernetes_version)
    if reason is None:
        return Finding(check=check, state=State.OK, found=f"kops for Kubernetes {cluster.kubernetes_version}")
    binary = f"{_KOPS}-{platform.system().lower()}-{_MACHINES.get(platform.machine(), platform.machine())}"
    return Finding(
        check=check,
        state=State.WRONG if shutil.which("kops") else State.MISSING,
        found=reason,
        mend=f"curl -fsSLo kops {binary} && sudo install kops /usr/local/bin",
    )


def _plugin(name: str, version: str, installed: set[tuple[str, str]]) -> Finding:
    check = f"plugin {name}"
    if (name, version) in installed:
        return Finding(check=check, state=State.OK, found=version)
    if path := shutil.which(f"pulumi-resource-{name}"):
        return Finding(check=check, state=State.OK, found=f"{path}, which pulumi takes first")
    others = sorted(other for known, other in installed if known == name)
    return Finding(
        check=check,
        state=State.WRONG if others else State.MISSING,
        found=f"{', '.join(others)}, not {version}" if others else f"{version} is not installed",
        mend=f"pulumi plugin install resource {name} {version}",
    )


def _installed() -> Iterator[Distribution]:
    folders = sorted(map(str, (engine.PROJECT / ".venv").glob("lib/python*/site-packages")))
    yield from distributions(path=folders) if folders else ()


def _plugins() -> Iterator[tuple[str, str]]:
    """The plugins by what their packages say of them in a file of their own."""
    for package in _installed():
        for file in package.files or ():
            if file.name == "pulumi-plugin.json":
                said = json.loads(file.read_text())
                yield said["name"], said["version"]


def _pins(file: Path) -> Iterator[tuple[str, str]]:
    for line in file.read_text().splitlines():
        if line.startswith("-r "):
            yield from _pins(file.parent / line.removeprefix("-r ").strip())
        elif pin := _PIN.match(line):
            yield pin[1], pin[2]


def _normal(name: str) -> str:
    """A package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _major(version: str) -> int:
    return int(version.split(".")[0])


def _minor(version: str) -> int:
    return int(version.split(".")[1])
