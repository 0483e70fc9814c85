"""The Debian packages that the machine is made of."""

import os
import shutil
import subprocess
from pathlib import Path

from sandbox.errors import SandboxError

PACKAGES = {
    "containerd": "containerd",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "conntrack": "conntrack",
    "busybox-static": "busybox",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "docker.io": "dockerd",
    "etcd-server": "etcd",
    "haproxy": "haproxy",
    "iproute2": "ip",
    "iptables": "iptables",
    "slirp4netns": "slirp4netns",
}
"""Each package, and a command or file that shows it is installed."""

_POLICY = Path("/usr/sbin/policy-rc.d")


def missing() -> list[str]:
    """The packages that are not installed."""
    return [package for package, sign in PACKAGES.items() if not (shutil.which(sign) or Path(sign).exists())]


def ensure(log: Path) -> None:
    """Install what is missing with apt-get, and keep the packages' services from starting on the host.

    Raises SandboxError, with the end of apt's log, when that fails or nobody may install.
    """
    if not (packages := missing()):
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    policy = not _POLICY.exists()
    if policy:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")  # invoke-rc.d(8): 101 forbids the action
        _POLICY.chmod(0o755)
    try:
        with log.open("ab") as out:
            for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
                subprocess.run(
                    ["apt-get", *command],
                    check=True,
                    stdout=out,
                    stderr=out,
                    env=environment,
                    start_new_session=True,  # neither Ctrl-C nor the end of a failed start leaves packages half done
                )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxError(
            f"The packages {', '.join(packages)} could not be installed.",
            why=f"apt-get failed: {error}.",
            do="The sandbox runs on Debian 12; install the packages by hand and run the command again.",
            log=log,
        ) from error
    finally:
        if policy:
            _POLICY.unlink()
