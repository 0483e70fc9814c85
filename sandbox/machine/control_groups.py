"""The control groups under which the machine's containers run, in version 1 and 2 of the kernel's interface."""

import errno
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.layout import CGROUP

ROOT = Path("/sys/fs/cgroup")
"""Where the hierarchies are mounted (cgroups(7))."""


def make() -> None:
    """Make the group that the kubelet and the Docker daemon put containers under, in every hierarchy."""
    if (ROOT / "cgroup.controllers").exists():
        hand_down(ROOT)
        (ROOT / CGROUP).mkdir(exist_ok=True)
        return
    for hierarchy in ROOT.iterdir():
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            (hierarchy / CGROUP).mkdir(exist_ok=True)


def remove() -> None:
    """Remove the groups with all that are in them; no process is left in any when the machine has ended."""
    for group in (ROOT / CGROUP, *ROOT.glob(f"*/{CGROUP}")):
        if group.exists():
            _remove(group)


def hand_down(group: Path) -> None:
    """Give every controller that a group of version 2 has to the groups in it.

    Raises SandboxError when the kernel refuses. It does so when processes are in the group, unless that is the root of
    the whole kernel's hierarchy ("no internal processes", cgroups(7)); the root that a container sees is not.
    """
    controllers = (group / "cgroup.controllers").read_text().split()
    handed = (group / "cgroup.subtree_control").read_text().split()
    try:
        for name in (each for each in controllers if each not in handed):
            (group / "cgroup.subtree_control").write_text(f"+{name}")
    except OSError as error:
        raise SandboxError(
            "The sandbox cannot have control groups for its containers.",
            why="Processes are in the control group that this container takes for its root."
            if error.errno == errno.EBUSY
            else f"{group} cannot be changed: {error.strerror}.",
            do="In a container, start that one with `--privileged --cgroupns=host`, or use a virtual machine.",
        ) from error


def _remove(path: Path) -> None:
    for child in path.iterdir():
        if child.is_dir():
            _remove(child)
    path.rmdir()
