"""What the host must be like, asked before anything is written."""

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
    """Raises SandboxError on any other system."""
    if sys.platform != "linux":
        raise SandboxError(
            "The sandbox needs Linux.",
            why=f"It is made of Linux namespaces and control groups, which {sys.platform} does not have.",
            do="Run it in a Linux virtual machine, with Debian 12 for instance. For AWS itself no Linux is needed.",
        )


def needs_root() -> None:
    """Raises SandboxError for any other user."""
    if os.geteuid() != 0:
        raise SandboxError(
            "The sandbox needs root.",
            why="It makes and ends namespaces, links and containers, which only root may.",
            do="Run the command as root, in a virtual machine if you prefer.",
        )


def needs_its_network() -> None:
    """Raises SandboxError when an interface or a route of something else is in the machine's network."""
    if others := sorted({name for name, network in _networks() if network.subnet_of(_NETWORK)}):
        raise SandboxError(
            "The sandbox cannot start.",
            why=f"Its network, {addresses.NETWORK}, is in use here: {', '.join(others)} has addresses or routes in it.",
            do="End what made them, a VPN for instance, and run the command again.",
        )


def routes(table: str) -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    """The interface and the destination of each route in the kernel's table, in the form of /proc/net/route."""
    for line in table.splitlines()[1:]:
        name, destination, _, _, _, _, _, mask, *_ = line.split()
        # Both are in the order of the network's bytes, printed as a number of this processor's.
        address, bits = (int(each, 16).to_bytes(4, sys.byteorder) for each in (destination, mask))
        yield name, ipaddress.IPv4Network((address, str(ipaddress.IPv4Address(bits))))


def _networks() -> Iterator[tuple[str, ipaddress.IPv4Network]]:
    yield from routes(Path("/proc/net/route").read_text())
    for name, some in psutil.net_if_addrs().items():
        yield from ((name, ipaddress.IPv4Network(each.address)) for each in some if each.family == socket.AF_INET)
