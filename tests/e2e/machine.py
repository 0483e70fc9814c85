"""The machine seen from the host: its processes, and what it could leave behind."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

from sandbox.layout import CGROUP, Layout
from sandbox.machine.namespaces import keeper
from sandbox.services.service import Service
from sandbox.services.table import table

_PLACES = ("/dev/shm", "/etc", "/opt", "/run", "/srv", "/usr/libexec", "/usr/local", "/var")  # noqa: S108  # looked at
"""Where the machine's programs keep their files by default."""

_OF_THE_SYSTEM = ("/run/", "/var/cache/apt", "/var/lib/apt", "/var/lib/dpkg", "/var/log")
"""Under these, other programs of the host write at any time."""


def services(layout: Layout) -> dict[str, Service]:
    """Return the services by name."""
    return {service.name: service for service in table(layout)}


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that still run; a zombie has ended."""
    found = []
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def inhabitants(layout: Layout) -> list[psutil.Process]:
    """Return all processes of the machine: the keeper and its descendants."""
    process = keeper(layout)
    assert process is not None, "the sandbox does not run"
    return [process, *process.children(recursive=True)]


def supervisor(layout: Layout) -> psutil.Process:
    """Return the supervisor, the machine's first process."""
    return _only(each for each in inhabitants(layout) if "supervisor.supervisord" in each.cmdline())


def process_of(layout: Layout, service: Service) -> psutil.Process:
    """Return the process of a service, with its PID on the host."""
    # supervisord(8) puts a program's name into its environment; the command line changes with an exec. The shims of
    # pods outlive the containerd that started them, and have its environment.
    return _only(
        child
        for child in supervisor(layout).children()
        if child.environ().get("SUPERVISOR_PROCESS_NAME") == service.name and "shim" not in child.name()
    )


def namespaces(processes: Iterable[psutil.Process]) -> set[str]:
    """Return the PID and network namespaces of these processes."""
    found = set()
    for each in processes:
        with contextlib.suppress(OSError):  # it has ended
            found |= {os.readlink(f"/proc/{each.pid}/ns/{kind}") for kind in ("pid", "net")}
    return found


def living_in(some: set[str]) -> list[str]:
    """Return every process on the host in one of these namespaces, as PID and command line."""
    found = []
    for process in psutil.process_iter():
        if namespaces([process]) & some:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a machine could leave on its host."""

    mounts: frozenset[str]
    links: frozenset[str]
    rules: frozenset[str]
    control_groups: frozenset[str]
    files: frozenset[str]

    def since(self, before: "Traces") -> dict[str, list[str]]:
        """Return what was added and removed since `before`, by kind."""
        changes = {}
        for name in (each.name for each in fields(self)):
            then, now = getattr(before, name), getattr(self, name)
            if then != now:
                changes[name] = [f"+ {each}" for each in sorted(now - then)] + [
                    f"- {each}" for each in sorted(then - now)
                ]
        return changes


def traces(layout: Layout) -> Traces:
    """Return what is on the host now."""
    groups = Path("/sys/fs/cgroup").glob(f"**/{CGROUP}")
    return Traces(
        mounts=frozenset(Path("/proc/mounts").read_text().splitlines()),
        links=frozenset(each.name for each in Path("/sys/class/net").iterdir()),
        rules=frozenset(_rules()),
        control_groups=frozenset(str(group) for group in groups),
        files=frozenset(_files(layout)),
    )


def _rules() -> Iterable[str]:
    """Yield the host's packet filter, in both of the kernel's interfaces, without comments and counters."""
    for command in ("iptables-save", "iptables-legacy-save", "ip6tables-save", "ip6tables-legacy-save"):
        if shutil.which(command):
            said = subprocess.run([command], capture_output=True, text=True, check=True).stdout
            yield from (
                f"{command}: {line.partition(' [')[0]}"
                for line in said.splitlines()
                if line and not line.startswith("#")
            )


def _files(layout: Layout) -> Iterable[str]:
    """Yield what is at the top of the checkout, in two levels of the home folder, and under _PLACES."""
    kept = (str(layout.cache), str(layout.checkout))
    home = Path.home()
    yield from (str(path) for path in layout.checkout.iterdir() if path.name != ".pytest_cache")
    folders = [each for each in home.iterdir() if each.is_dir() and not each.is_symlink()]
    yield from (str(path) for folder in (home, *folders) for path in folder.iterdir())
    for place in _PLACES:
        for at, inner, files in os.walk(place):
            inner[:] = [name for name in inner if not f"{at}/{name}".startswith((*kept, *_OF_THE_SYSTEM))]
            yield from (f"{at}/{name}" for name in (*inner, *files))


def _only(found: Iterable[psutil.Process]) -> psutil.Process:
    processes = list(found)
    assert len(processes) == 1, f"expected one process, found {processes}"
    return processes[0]
