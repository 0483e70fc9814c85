"""A service: one process of the machine, with its command and its health check."""

import socket
import ssl
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.addresses import NODE_ADDRESS

Probe = Callable[[], None]
"""Returns when a service is healthy, and raises OSError when it is not."""


def tools_of(module: str) -> str:
    """Return the name of the step that gets a Go module's tools."""
    return f"{module} tools"


KUBERNETES = tools_of("kubernetes")
"""The step that gets the machine's Kubernetes binaries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the machine.

    `needs` names the steps of the start (sandbox.machine.bringup) before it: services, and those of `tools_of`.
    `configure` writes its configuration after them, before it starts.
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
    """Return a probe: healthy when the URL answers with success."""
    return lambda: _get(url, None)


def https(url: str, ca: Path | None) -> Probe:
    """Return the same probe over TLS, verified against `ca`; None for a component with a self-signed certificate."""

    def probe() -> None:
        context = ssl.create_default_context(cafile=ca)
        if ca is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        _get(url, context)

    return probe


def tcp(port: int) -> Probe:
    """Return a probe: healthy when the port at the node's address accepts a connection."""
    return lambda: socket.create_connection((NODE_ADDRESS, port), timeout=2).close()


def unix(path: Path) -> Probe:
    """Return a probe: healthy when the Unix socket accepts a connection."""

    def probe() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))

    return probe


def _get(url: str, context: ssl.SSLContext | None) -> None:
    # Ignore the host's proxy settings.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=2):
        pass
