"""The Debian packages the machine needs."""

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
"""By package: a command or file that exists when it is installed."""

_INSTALL = """
mount --bind /bin/true /usr/sbin/invoke-rc.d
mount --bind /bin/true /usr/bin/deb-systemd-invoke
mkdir --parents /run/systemd/system-preset
mount -t tmpfs tmpfs /run/systemd/system-preset
echo 'disable *' > /run/systemd/system-preset/00-sandbox.preset
exec apt-get install --yes --no-remove --no-install-recommends "$@"
"""
"""Install packages without starting their services or enabling them at boot.

It runs in its own mount namespace, so that none of these mounts outlives it. Packages start services with the two
commands, which do nothing here, and enable them according to the presets (systemd.preset(5)).
"""


def missing() -> list[str]:
    """Return the packages that are not installed."""
    return [package for package, sign in PACKAGES.items() if not (shutil.which(sign) or Path(sign).exists())]


def ensure(cache: Path) -> None:
    """Install the missing packages, and record them in the cache.

    Raises SandboxError, with the end of apt's log, when that fails, this user may not install, or apt would have to
    remove a package.
    """
    if packages := missing():
        cache.mkdir(parents=True, exist_ok=True)
        with _record(cache).open("a") as record:
            record.writelines(f"{package}\n" for package in packages)
        install(packages, cache / "apt.log")


def installed(cache: Path) -> list[str]:
    """Return the packages that were installed for the sandbox and still are."""
    record = _record(cache)
    known = set(record.read_text().split()) if record.exists() else set()
    return sorted(known & PACKAGES.keys() - set(missing()))


def install(packages: list[str], log: Path) -> None:
    """Install packages with apt-get, without starting or enabling services. Raises SandboxError as `ensure` does."""
    environment = os.environ | {
        "DEBIAN_FRONTEND": "noninteractive",
        "SYSTEMD_OFFLINE": "1",  # systemctl changes only files, not the running systemd
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
                    start_new_session=True,  # Ctrl-C or a failed start must not leave packages half installed
                )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxError(
            f"The packages {', '.join(packages)} could not be installed.",
            why=f"apt-get failed: {error}. It may not remove installed packages for them.",
            do="The sandbox runs on Debian and Ubuntu. Install the packages by hand and run the command again.",
            log=log,
        ) from error


def _record(cache: Path) -> Path:
    return cache / "debian-packages"
