"""A service: one process of the machine, how it is started, and how one sees that it is healthy."""

import socket
import ssl
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.addresses import NODE_ADDRESS

Probe = Callable[[], None]
"""Returns when a service is healthy, and raises OSError when it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the machine.

    `needs` are the steps of the start (sandbox.machine.bringup) that come before it: services by their names, a tool
    as `tool <name>`. `configure` writes its configuration when they are done, before it starts.
    """

    name: str
    what: str
    command: Sequence[str]
    healthy: Probe
    where: str
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    configure: Callable[[], object] = lambda: None


def http(url: str) -> Probe:
    """Healthy when the URL answers with success."""
    return lambda: _get(url, None)


def https(url: str, ca: Path | None) -> Probe:
    """The same, verified against `ca`; None for the components that sign their own health port's certificate."""

    def probe() -> None:
        context = ssl.create_default_context(cafile=ca)
        if ca is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        _get(url, context)

    return probe


def tcp(port: int) -> Probe:
    """Healthy when the port of the node's address takes a connection."""
    return lambda: socket.create_connection((NODE_ADDRESS, port), timeout=2).close()


def unix(path: Path) -> Probe:
    """Healthy when the socket takes a connection."""

    def probe() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))

    return probe


def _get(url: str, context: ssl.SSLContext | None) -> None:
    # Never through a proxy that the host may have set for the outside.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=2):
        pass
