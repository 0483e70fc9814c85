"""The machine: PID, mount, network, UTS and IPC namespaces in which every service of the sandbox runs.

Ending its first process ends, by the kernel's own doing, every process, mount, link and firewall rule inside.
Outside remain only the keeper (this module, as a process), slirp4netns, which carries the machine's outgoing
connections as an ordinary user of the host's network, and one link from the host to the machine.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from sandbox import addresses
from sandbox.errors import SandboxError
from sandbox.layout import CGROUP, Layout, here

_MODULE = "sandbox.machine.namespaces"
"""This module, which is also the keeper's process and the machine's first."""

_NAMESPACES = ("--pid", "--mount", "--net", "--uts", "--ipc")
_KUBELET_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
"""What the kubelet wants of the whole kernel (k8s.io/component-helpers/node/util/sysctl)."""


def start(layout: Layout) -> None:
    """Start the machine and wait until its supervisor answers; do nothing when it runs.

    Raises SandboxError when another checkout's machine holds the link, or this one does not come up within 30 s.
    """
    if keeper(layout) is not None:
        return
    if Path(f"/sys/class/net/{addresses.LINK}").exists():
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"The network link {addresses.LINK} exists already: a sandbox of another checkout is running.",
            do=f"Run `make down` there; if it is gone, remove the link with `ip link delete {addresses.LINK}`.",
        )
    log = layout.logs / "machine.log"
    for stale in layout.run.iterdir():
        stale.unlink()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            cwd=layout.checkout,
            # Nothing of the user's own session, credentials least of all, reaches the services.
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": "/var", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    for _ in range(300):
        if layout.supervisor_socket.exists():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise SandboxError(
        "The sandbox's machine did not start.",
        why="Its namespaces, its network or its supervisor failed within 30 s.",
        do="It needs root, /dev/net/tun and a kernel with namespaces; the log says which of them failed.",
        log=log,
    )


def stop(layout: Layout) -> None:
    """End the machine with everything in it, and remove its control groups. Does nothing when none is there."""
    running = keeper(layout)
    if running is not None:
        running.terminate()
        with contextlib.suppress(psutil.TimeoutExpired):
            running.wait(timeout=10)
        if running.is_running():
            running.kill()
            running.wait(timeout=10)
    for group in (Path("/sys/fs/cgroup", CGROUP), *Path("/sys/fs/cgroup").glob(f"*/{CGROUP}")):
        if group.exists():
            _remove_control_groups(group)
    link = Path(f"/sys/class/net/{addresses.LINK}")
    for _ in range(100):
        if running is None or not link.exists():
            return
        time.sleep(0.05)
    raise SandboxError(
        "The sandbox's network link did not go away.",
        why=f"{addresses.LINK} is still there 5 s after the machine ended.",
        do=f"Remove it with `ip link delete {addresses.LINK}`.",
    )


def keeper(layout: Layout) -> psutil.Process | None:
    """The process that keeps this checkout's machine, or None when it does not run.

    The recorded process id counts only together with its start time, since ids are used again.
    """
    try:
        pid, started = (layout.root / "machine.pid").read_text().split()
        process = psutil.Process(int(pid))
        return process if process.is_running() and str(process.create_time()) == started else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def _make_control_groups() -> None:
    """The group that the kubelet and the Docker daemon put containers under, in every hierarchy."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():  # version 2: one hierarchy, controllers handed down by name
        controllers = (root / "cgroup.controllers").read_text().split()
        (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))
        (root / CGROUP).mkdir(exist_ok=True)
        return
    for hierarchy in root.iterdir():
        if hierarchy.is_dir() and not hierarchy.is_symlink():
            (hierarchy / CGROUP).mkdir(exist_ok=True)


def _remove_control_groups(path: Path) -> None:
    for child in path.iterdir():
        if child.is_dir():
            _remove_control_groups(child)
    path.rmdir()


def _keep(layout: Layout) -> None:
    """Run as the keeper: make the namespaces and their network, then wait until either side of them ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    me = psutil.Process()
    (layout.root / "machine.pid").write_text(f"{me.pid} {me.create_time()}")
    go_in, go_out = os.pipe()
    inside = [sys.executable, "-m", _MODULE, "inside"]
    # The kernel ends unshare when its keeper goes, however it goes (setpriv(1)), and with it the machine (unshare(1)).
    holder = subprocess.Popen(
        ["setpriv", "--pdeathsig=KILL", "--",
         "unshare", *_NAMESPACES, "--fork", "--mount-proc", "--kill-child=KILL", "--", *inside],
        stdin=go_in,
    )  # fmt: skip
    slirp: subprocess.Popen[bytes] | None = None
    try:
        init = str(_first_child(holder.pid))
        _run("ip", "link", "add", addresses.LINK, "type", "veth", "peer", "name", "eth0", "netns", init)
        _run("ip", "address", "add", f"{addresses.HOST_ADDRESS}/24", "dev", addresses.LINK)
        _run("ip", "link", "set", addresses.LINK, "up")
        _run("nsenter", "-t", init, "-n", "ip", "address", "add", f"{addresses.NODE_ADDRESS}/24", "dev", "eth0")
        # Not on eth0, whose other addresses come and go with the balancers; the machine answers for it there as well.
        _run("nsenter", "-t", init, "-n", "ip", "address", "add", f"{addresses.ECR_ADDRESS}/32", "dev", "lo")
        _run("nsenter", "-t", init, "-n", "ip", "link", "set", "eth0", "up")
        # Every address of it is the machine's, without one of them on a link.
        _run("nsenter", "-t", init, "-n", "ip", "route", "add", "local", addresses.NAME_SERVERS, "dev", "lo")
        ready, exit_ = os.pipe(), os.pipe()
        slirp = subprocess.Popen(
            # 65520 is the largest MTU that slirp4netns takes; --exit-fd ends it with this process.
            ["slirp4netns", "--configure", "--mtu=65520", "--disable-host-loopback",
             f"--ready-fd={ready[1]}", f"--exit-fd={exit_[0]}", init, "tap0"],
            pass_fds=(ready[1], exit_[0]),
        )  # fmt: skip
        os.close(ready[1])
        os.close(exit_[0])
        if os.read(ready[0], 1) != b"1":
            raise RuntimeError("slirp4netns ended before it was ready")
        os.write(go_out, b"\n")
        while holder.poll() is None and slirp.poll() is None:
            time.sleep(0.2)
    finally:
        holder.kill()
        holder.wait()
        if slirp is not None:
            slirp.kill()
            slirp.wait()


def _first_child(pid: int) -> int:
    for _ in range(100):
        children = psutil.Process(pid).children()
        # unshare's child has made its namespaces once it runs what it was asked to run.
        if children and _MODULE in children[0].cmdline():
            return int(children[0].pid)
        time.sleep(0.05)
    raise RuntimeError("unshare started nothing within 5 s")


def _inside(layout: Layout) -> None:
    """Run as the machine's first process: give it its own /var, /run and names, then become the supervisor."""
    _run("hostname", addresses.NODE)
    _run("mount", "--make-rshared", "/")  # the kubelet propagates mounts; the host's are out of reach already
    checkout = os.open(layout.checkout, os.O_PATH)
    for folder in ("lib", "log/pods", "tmp", "cache"):
        (layout.var / folder).mkdir(parents=True, exist_ok=True)
    for name in ("run", "lock"):
        (layout.var / name).unlink(missing_ok=True)
        (layout.var / name).symlink_to(Path("/run") / (name if name == "lock" else ""))
    _run("mount", "--bind", str(layout.var), "/var")
    if layout.checkout.is_relative_to("/var"):
        layout.checkout.mkdir(parents=True, exist_ok=True)
        _run("mount", "--bind", f"/proc/{os.getpid()}/fd/{checkout}", str(layout.checkout))
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/lock").mkdir()
    _over("/etc/resolv.conf", f"nameserver {addresses.NODE_ADDRESS}\n")
    names = " ".join((addresses.NODE, addresses.REGISTRY.partition(":")[0], addresses.STS_HOST))
    _over("/etc/hosts", f"127.0.0.1 localhost\n{addresses.NODE_ADDRESS} {names}\n")
    for name, wanted in _KUBELET_SYSCTLS.items():
        # These belong to the whole kernel: let the kubelet find what it wants without changing the host.
        if Path("/proc/sys", name).read_text().strip() != wanted:
            _over(f"/proc/sys/{name}", wanted)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _make_control_groups()
    _run("ip", "link", "set", "lo", "up")
    if sys.stdin.readline() != "\n":
        raise RuntimeError("the keeper ended before the network was there")
    os.execv(  # noqa: S606  # no shell is wanted: the supervisor takes this process's place
        sys.executable,
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(layout.etc / "supervisord.conf")],
    )


def _over(path: str, content: str) -> None:
    """Put a file over `path`, for this mount namespace alone."""
    source = Path("/run") / path.strip("/").replace("/", "-")
    source.write_text(content)
    _run("mount", "--bind", str(source), path)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    (_inside if sys.argv[1:] == ["inside"] else _keep)(here())
