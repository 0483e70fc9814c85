"""The control groups of the machine's containers, in versions 1 and 2 of the kernel's interface."""

import errno
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.layout import CGROUP

ROOT = Path("/sys/fs/cgroup")
"""Where the hierarchies are mounted (cgroups(7))."""


def make() -> None:
    """Make the containers' parent group in every hierarchy, for the kubelet and the Docker daemon."""
    if (ROOT / "cgroup.controllers").exists():
        hand_down(ROOT)
        (ROOT / CGROUP).mkdir(exist_ok=True)
        return
    for hierarchy in ROOT.iterdir():
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            (hierarchy / CGROUP).mkdir(exist_ok=True)


def remove() -> None:
    """Remove the groups with all their child groups. The machine must have ended, so that no process is in them."""
    for group in (ROOT / CGROUP, *ROOT.glob(f"*/{CGROUP}")):
        if group.exists():
            _remove(group)


def hand_down(group: Path) -> None:
    """Enable every controller of a version 2 group for its child groups.

    Raises SandboxError when the kernel refuses, as it does when the group has processes ("no internal processes",
    cgroups(7)). Only the real root of the hierarchy may have some; the root that a container sees is another group.
    """
    controllers = (group / "cgroup.controllers").read_text().split()
    handed = (group / "cgroup.subtree_control").read_text().split()
    try:
        for name in (each for each in controllers if each not in handed):
            (group / "cgroup.subtree_control").write_text(f"+{name}")
    except OSError as error:
        raise SandboxError(
            "The sandbox cannot make control groups for its containers.",
            why="There are processes in this container's root control group."
            if error.errno == errno.EBUSY
            else f"{group} cannot be changed: {error.strerror}.",
            do="Start this container with `--privileged --cgroupns=host`, or use a virtual machine.",
        ) from error


def _remove(path: Path) -> None:
    for child in path.iterdir():
        if child.is_dir():
            _remove(child)
    path.rmdir()
