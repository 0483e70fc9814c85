"""The machine: PID, mount, network, UTS and IPC namespaces in which every service of the sandbox runs.

When its first process ends, the kernel removes every process, mount, link and firewall rule inside. Outside of it are
only the keeper (this module, as a process), slirp4netns, which makes the machine's outgoing connections from the host,
and one network link from the host to the machine.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from sandbox import addresses
from sandbox.errors import SandboxError
from sandbox.layout import Layout, here
from sandbox.machine import control_groups, host

_MODULE = "sandbox.machine.namespaces"
"""This module, which runs as the keeper and as the machine's first process."""

_KEEP, _INSIDE = "keep", "inside"
"""The argument for either."""

_LINK = Path(f"/sys/class/net/{addresses.LINK}")
"""Exists as long as the network link does."""

_NAMESPACES = ("--pid", "--mount", "--net", "--uts", "--ipc")
_KUBELET_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
"""Kernel-wide settings the kubelet requires (k8s.io/component-helpers/node/util/sysctl)."""


def check(layout: Layout) -> None:
    """Check that the machine can start on this host, before anything is written.

    Raises SandboxError on another system than Linux, for another user than root, while another checkout's machine runs,
    and when its network or its link is in use.
    """
    host.needs_linux()
    host.needs_root()
    if keeper(layout) is not None:
        return
    for checkout, process in _keepers().items():
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"The sandbox of another checkout, {checkout}, is running.",
            do=f"Run `make down` there. If that checkout was deleted: `kill {process.pid}`.",
        )
    if _LINK.exists():
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"The network link {addresses.LINK} exists already, but no sandbox is running.",
            do=f"Remove it with `ip link delete {addresses.LINK}`.",
        )
    host.needs_its_network()


def start(layout: Layout) -> None:
    """Start the machine and wait until its supervisor answers. Does nothing when it runs.

    Raises SandboxError when it does not start within 30 s or cannot make control groups.
    """
    if keeper(layout) is not None:
        return
    control_groups.make()
    log = layout.logs / "machine.log"
    for stale in layout.run.iterdir():
        stale.unlink()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, _KEEP, str(layout.checkout)],
            cwd=layout.checkout,
            # Keep the user's own variables, above all credentials, from the services.
            env={"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": "/var", "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    _within(30, lambda: layout.supervisor_socket.exists() or process.poll() is not None)
    if layout.supervisor_socket.exists():
        return
    raise SandboxError(
        "The sandbox's machine did not start.",
        why="Its namespaces, its network or its supervisor failed, or did not start within 30 s.",
        do="It needs root, /dev/net/tun and a kernel with namespaces. The log has the reason.",
        log=log,
    )


def stop(layout: Layout) -> None:
    """End the machine with everything in it, and remove its control groups. Does nothing without a machine.

    Raises SandboxError when its network link does not go away, and for another user than root.
    """
    if keeper(layout) is not None:
        host.needs_root()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        if running := keeper(layout):
            with contextlib.suppress(psutil.NoSuchProcess):
                end(running)
            # Not wait(): when ended, it stays a zombie until the `make up` that started it ends.
            _within(10, lambda: keeper(layout) is None)
    if _keepers():
        return  # link and control groups belong to another checkout's machine
    control_groups.remove()
    if not _within(5, lambda: not _LINK.exists()):
        raise SandboxError(
            "The sandbox's network link did not go away.",
            why=f"{addresses.LINK} still exists, 5 s after the machine ended or although no machine runs.",
            do=f"Remove it with `ip link delete {addresses.LINK}`.",
        )


def _within(seconds: int, done: Callable[[], bool]) -> bool:
    """Wait until `done` returns true. Return False when that takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not (ended := done()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return ended


def keeper(layout: Layout) -> psutil.Process | None:
    """Return the keeper's process of this checkout's machine, or None when it does not run."""
    return _keepers().get(layout.checkout)


def _keepers() -> dict[Path, psutil.Process]:
    """Return all keepers by their checkouts: root's processes with exactly a keeper's arguments."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended or is not readable, so it is no keeper
            match process.cmdline()[1:]:
                case ["-m", module, command, checkout] if (module, command) == (_MODULE, _KEEP):
                    if process.uids().effective == 0:
                        found[Path(checkout)] = process
    return found


def _keep(layout: Layout) -> None:
    """Run as the keeper: make the namespaces and their network, then wait until the machine or slirp4netns ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    go_in, go_out = os.pipe()
    inside = [sys.executable, "-m", _MODULE, _INSIDE]
    # When the keeper ends, in whatever way, the kernel ends unshare (setpriv(1)) and with it the machine (unshare(1)).
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
        # On lo, since eth0's addresses come and go with the load balancers; the machine answers ARP for it on eth0.
        _run("nsenter", "-t", init, "-n", "ip", "address", "add", f"{addresses.ECR_ADDRESS}/32", "dev", "lo")
        _run("nsenter", "-t", init, "-n", "ip", "link", "set", "eth0", "up")
        # A local route: the machine accepts all of these addresses, without having them on an interface.
        _run("nsenter", "-t", init, "-n", "ip", "route", "add", "local", addresses.NAME_SERVERS, "dev", "lo")
        ready, exit_ = os.pipe(), os.pipe()
        slirp = subprocess.Popen(
            # 65520 is slirp4netns' largest MTU; --exit-fd ends it with this process.
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
        # The namespaces exist once unshare's child runs this module.
        if children and _MODULE in children[0].cmdline():
            return int(children[0].pid)
        time.sleep(0.05)
    raise RuntimeError("unshare started nothing within 5 s")


def _inside(layout: Layout) -> None:
    """Run as the machine's first process: mount its own /var and /run, set its names, then become the supervisor."""
    _run("hostname", addresses.NODE)
    _run("mount", "--make-rshared", "/")  # the kubelet propagates mounts; the host's namespace is not reached
    checkout = os.open(layout.checkout, os.O_PATH)
    for folder in ("lib", "log/pods", "tmp", "cache"):
        (layout.var / folder).mkdir(parents=True, exist_ok=True)
    for name in ("run", "lock"):
        (layout.var / name).unlink(missing_ok=True)
        (layout.var / name).symlink_to(Path("/run") / (name if name == "lock" else ""))
    _run("mount", "--bind", str(layout.var), "/var")
    if layout.checkout.is_relative_to("/var"):
        _bind(checkout, layout.checkout)
    sockets = os.open(layout.run, os.O_PATH)
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/lock").mkdir()
    _bind(sockets, layout.run)
    _over("/etc/resolv.conf", f"nameserver {addresses.NODE_ADDRESS}\n")
    names = " ".join((addresses.NODE, addresses.REGISTRY.partition(":")[0], addresses.STS_HOST))
    _over("/etc/hosts", f"127.0.0.1 localhost\n{addresses.NODE_ADDRESS} {names}\n")
    for name, wanted in _KUBELET_SYSCTLS.items():
        # These settings are kernel-wide: show the kubelet the values it requires without changing the host.
        if Path("/proc/sys", name).read_text().strip() != wanted:
            _over(f"/proc/sys/{name}", wanted)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _run("ip", "link", "set", "lo", "up")
    if sys.stdin.readline() != "\n":
        raise RuntimeError("the keeper ended before the network was ready")
    os.execv(  # noqa: S606  # the supervisor replaces this process
        sys.executable,
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(layout.etc / "supervisord.conf")],
    )


def _bind(folder: int, path: Path) -> None:
    """Mount an open folder at its former path, over which another one was mounted."""
    path.mkdir(parents=True, exist_ok=True)
    # Canonicalized, the descriptor's link would become the path, which now leads to the other folder.
    _run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{folder}", str(path))


def _over(path: str, content: str) -> None:
    """Replace the file at `path`, in this mount namespace only."""
    target = Path(path).resolve()
    if target.is_relative_to("/run") and not target.exists():
        # A link into /run, such as systemd-resolved's resolv.conf: the machine has its own /run.
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        return
    source = Path("/run") / path.strip("/").replace("/", "-")
    source.write_text(content)
    _run("mount", "--bind", str(source), str(target))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    (_inside if sys.argv[1] == _INSIDE else _keep)(here())
