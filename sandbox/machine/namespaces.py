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
from collections.abc import Callable
from pathlib import Path

import psutil

from sandbox import addresses
from sandbox.errors import SandboxError
from sandbox.layout import Layout, here
from sandbox.machine import control_groups, host

_MODULE = "sandbox.machine.namespaces"
"""This module, which is run as the keeper's process, and as the machine's first."""

_KEEP, _INSIDE = "keep", "inside"
"""Its argument for either."""

_LINK = Path(f"/sys/class/net/{addresses.LINK}")
"""Is there for as long as the link."""

_NAMESPACES = ("--pid", "--mount", "--net", "--uts", "--ipc")
_KUBELET_SYSCTLS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
}
"""What the kubelet wants of the whole kernel (k8s.io/component-helpers/node/util/sysctl)."""


def check(layout: Layout) -> None:
    """Say what of the host's stands in the machine's way, before anything is written.

    Raises SandboxError for any other system than Linux, any other user than root, another checkout's machine that
    runs, and a network that is in use.
    """
    host.needs_linux()
    host.needs_root()
    if keeper(layout) is not None:
        return
    for checkout, process in _keepers().items():
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"The sandbox of another checkout, {checkout}, is running.",
            do=f"Run `make down` there; if the checkout is gone, `kill {process.pid}` ends its sandbox.",
        )
    if _LINK.exists():
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"The network link {addresses.LINK} exists already, and no sandbox runs that it belongs to.",
            do=f"Remove it with `ip link delete {addresses.LINK}`.",
        )
    host.needs_its_network()


def start(layout: Layout) -> None:
    """Start the machine and wait until its supervisor answers; do nothing when it runs.

    Raises SandboxError when it does not come up within 30 s, or cannot have control groups.
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
            # Nothing of the user's own session, credentials least of all, reaches the services.
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
        why="Its namespaces, its network or its supervisor failed within 30 s.",
        do="It needs root, /dev/net/tun and a kernel with namespaces; the log says which of them failed.",
        log=log,
    )


def stop(layout: Layout) -> None:
    """End the machine with everything in it, and remove its control groups. Does nothing when none is there.

    Raises SandboxError when its network link stays, and for any other user than root.
    """
    if keeper(layout) is not None:
        host.needs_root()
    for end in (psutil.Process.terminate, psutil.Process.kill):
        if running := keeper(layout):
            with contextlib.suppress(psutil.NoSuchProcess):
                end(running)
            # Not wait(): ended, it stays a zombie for as long as a `make up` that started it goes on.
            _within(10, lambda: keeper(layout) is None)
    if _keepers():
        return  # what is there belongs to another checkout's machine
    control_groups.remove()
    if not _within(5, lambda: not _LINK.exists()):
        raise SandboxError(
            "The sandbox's network link did not go away.",
            why=f"{addresses.LINK} is still there, 5 s after the machine ended or with no machine that it belongs to.",
            do=f"Remove it with `ip link delete {addresses.LINK}`.",
        )


def _within(seconds: int, done: Callable[[], bool]) -> bool:
    """Wait until it is done; False when that takes longer."""
    deadline = time.monotonic() + seconds
    while not (ended := done()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return ended


def keeper(layout: Layout) -> psutil.Process | None:
    """The process that keeps this checkout's machine, or None when it does not run."""
    return _keepers().get(layout.checkout)


def _keepers() -> dict[Path, psutil.Process]:
    """Every machine's keeper by its checkout: root's processes that were started with exactly a keeper's arguments."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has ended, or is not ours to look at, so no keeper
            match process.cmdline()[1:]:
                case ["-m", module, command, checkout] if (module, command) == (_MODULE, _KEEP):
                    if process.uids().effective == 0:
                        found[Path(checkout)] = process
    return found


def _keep(layout: Layout) -> None:
    """Run as the keeper: make the namespaces and their network, then wait until either side of them ends."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    go_in, go_out = os.pipe()
    inside = [sys.executable, "-m", _MODULE, _INSIDE]
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
        _bind(checkout, layout.checkout)
    sockets = os.open(layout.run, os.O_PATH)
    _run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/lock").mkdir()
    _bind(sockets, layout.run)
    _over("/etc/resolv.conf", f"nameserver {addresses.NODE_ADDRESS}\n")
    names = " ".join((addresses.NODE, addresses.REGISTRY.partition(":")[0], addresses.STS_HOST))
    _over("/etc/hosts", f"127.0.0.1 localhost\n{addresses.NODE_ADDRESS} {names}\n")
    for name, wanted in _KUBELET_SYSCTLS.items():
        # These belong to the whole kernel: let the kubelet find what it wants without changing the host.
        if Path("/proc/sys", name).read_text().strip() != wanted:
            _over(f"/proc/sys/{name}", wanted)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _run("ip", "link", "set", "lo", "up")
    if sys.stdin.readline() != "\n":
        raise RuntimeError("the keeper ended before the network was there")
    os.execv(  # noqa: S606  # no shell is wanted: the supervisor takes this process's place
        sys.executable,
        [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(layout.etc / "supervisord.conf")],
    )


def _bind(folder: int, path: Path) -> None:
    """Put the open folder where it was before another one was mounted over it."""
    path.mkdir(parents=True, exist_ok=True)
    # Canonicalized, the descriptor's link would be the path once more, of what is there now.
    _run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{folder}", str(path))


def _over(path: str, content: str) -> None:
    """Put a file over whatever `path` leads to, for this mount namespace alone."""
    target = Path(path).resolve()
    if target.is_relative_to("/run") and not target.exists():
        # A link into /run, as resolv.conf is where systemd-resolved runs: /run is the machine's own.
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
