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

_INSTALL = """
mount --bind /bin/true /usr/sbin/invoke-rc.d
mount --bind /bin/true /usr/bin/deb-systemd-invoke
mkdir --parents /run/systemd/system-preset
mount -t tmpfs tmpfs /run/systemd/system-preset
echo 'disable *' > /run/systemd/system-preset/00-sandbox.preset
exec apt-get install --yes --no-remove --no-install-recommends "$@"
"""
"""Install packages whose services neither start nor are enabled at boot.

It is run in a mount namespace of its own: however it ends, nothing of this stays. A package starts its services with
the two commands that do nothing here, and has them enabled as the presets say (systemd.preset(5)).
"""


def missing() -> list[str]:
    """The packages that are not installed."""
    return [package for package, sign in PACKAGES.items() if not (shutil.which(sign) or Path(sign).exists())]


def ensure(cache: Path) -> None:
    """Install what is missing, and write down in the cache that it was installed for the sandbox.

    Raises SandboxError, with the end of apt's log, when that fails, nobody may install, or a package that is there
    would have to go.
    """
    if packages := missing():
        cache.mkdir(parents=True, exist_ok=True)
        with _record(cache).open("a") as record:
            record.writelines(f"{package}\n" for package in packages)
        install(packages, cache / "apt.log")


def installed(cache: Path) -> list[str]:
    """The packages that were installed for the sandbox and are still there."""
    record = _record(cache)
    known = set(record.read_text().split()) if record.exists() else set()
    return sorted(known & PACKAGES.keys() - set(missing()))


def install(packages: list[str], log: Path) -> None:
    """Install packages with apt-get; their services neither start nor are enabled. Raises SandboxError as `ensure`."""
    environment = os.environ | {
        "DEBIAN_FRONTEND": "noninteractive",
        "SYSTEMD_OFFLINE": "1",  # systemctl changes files, and asks nothing of the running systemd
    }
    try:
        with log.open("ab") as out:
            for command in (
                ["apt-get", "update"],
                ["unshare", "--mount", "--", "sh", "-ec", _INSTALL, "sh", *packages],
            ):
                subprocess.run(
                    command,
                    check=True,
                    stdout=out,
                    stderr=out,
                    env=environment,
                    start_new_session=True,  # neither Ctrl-C nor the end of a failed start leaves packages half done
                )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxError(
            f"The packages {', '.join(packages)} could not be installed.",
            why=f"apt-get failed: {error}. It removes no package that is there to make room for them.",
            do="The sandbox runs on Debian and Ubuntu; install the packages by hand and run the command again.",
            log=log,
        ) from error


def _record(cache: Path) -> Path:
    return cache / "debian-packages"
