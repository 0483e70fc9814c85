"""Requirements on the host, checked before anything is written."""

import ipaddress
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from sandbox import addresses
from sandbox.errors import SandboxError

_NETWORK = ipaddress.IPv4Network(addresses.NETWORK)


def needs_linux() -> None:
    """Raise SandboxError on another system."""
    if sys.platform != "linux":
        raise SandboxError(
            "The sandbox needs Linux.",
            why=f"It uses Linux namespaces and control groups, which {sys.platform} does not have.",
            do="Run it in the dev container that .devcontainer/ describes, or in a Linux virtual machine, such as "
            "Debian 12. To deploy on AWS, Linux is not needed.",
        )


def needs_root() -> None:
    """Raise SandboxError for another user."""
    if os.geteuid() != 0:
        raise SandboxError(
            "The sandbox needs root.",
            why="Only root may make namespaces, network links and containers.",
            do="Run the command as root, in a virtual machine if you prefer.",
        )


def needs_its_network() -> None:
    """Raise SandboxError when another interface or route uses the machine's network."""
    if others := sorted({name for name, network in _networks() if network.subnet_of(_NETWORK)}):
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"Its network, {addresses.NETWORK}, is in use: {', '.join(others)} has addresses or routes in it.",
            do="Stop the program that made them, such as a VPN, and run the command again.",
        )


def routes(table: str) -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    """Yield the interface and the destination of each route in a `table` with the format of /proc/net/route."""
    for line in table.splitlines()[1:]:
        name, destination, _, _, _, _, _, mask, *_ = line.split()
        # Both are in network byte order, printed as a hexadecimal number in this CPU's byte order.
        address, bits = (int(each, 16).to_bytes(4, sys.byteorder) for each in (destination, mask))
        yield name, ipaddress.IPv4Network((address, str(ipaddress.IPv4Address(bits))))


def _networks() -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    yield from routes(Path("/proc/net/route").read_text())
    for name, some in psutil.net_if_addrs().items():
        yield from ((name, ipaddress.IPv4Network(each.address)) for each in some if each.family == socket.AF_INET)
