"""The site as a visitor uses it: by DNS, through the load balancer, with its certificate verified."""

import http.client
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path

import dns.resolver

from sandbox import addresses

PATIENCE = 15
"""Seconds that one request may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response."""

    status: int
    headers: Message
    body: str

    @property
    def pod(self) -> str:
        """The name of the pod, which the page shows."""
        found = re.search(r'id="pod">([^<]+)<', self.body)
        assert found, f"the page names no pod:\n{self.body}"
        return found[1]


def resolver() -> dns.resolver.Resolver:
    """Return a resolver that asks only the sandbox's name server."""
    asked = dns.resolver.Resolver(configure=False)
    asked.nameservers = [addresses.NODE_ADDRESS]
    asked.lifetime = 5.0
    return asked


def addresses_of(name: str) -> set[str]:
    """Return the addresses that the name server has for a name."""
    return {record.to_text() for record in resolver().resolve(name, "A")}


def trusting(ca: Path) -> ssl.SSLContext:
    """Return a context that trusts one authority and checks the host's name."""
    return ssl.create_default_context(cafile=ca)


def connect(host: str, port: int, address: str, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """Connect to `host` at a known address; `tls` verifies that it is the host."""
    plain = socket.create_connection((address, port), timeout=PATIENCE)
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    try:
        connection.sock = tls.wrap_socket(plain, server_hostname=host) if tls else plain
    except BaseException:
        plain.close()
        raise
    return connection


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one request over a connection, which stays open unless the server closes it."""
    # Without a port, as a browser sends it for a scheme's default port.
    connection.request(method, path, headers={"Host": connection.host} | dict(headers or {}))
    response = connection.getresponse()
    body = response.read().decode()
    return Answer(status=response.status, headers=response.headers, body=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The deployed site."""

    host: str
    ca: Path
    ports: Mapping[str, int] = field(default_factory=lambda: {"http": 80, "https": 443})

    def connect(self, scheme: str = "https") -> http.client.HTTPConnection:
        """Connect to one of its addresses, after a new lookup."""
        address = sorted(addresses_of(self.host))[0]
        tls = trusting(self.ca) if scheme == "https" else None
        return connect(self.host, self.ports[scheme], address, tls)

    def ask(self, path: str = "/", *, scheme: str = "https", headers: Mapping[str, str] | None = None) -> Answer:
        """Send one request over a new connection."""
        with closing(self.connect(scheme)) as connection:
            return ask(connection, path, headers=headers)

    def page(self) -> Answer:
        """Return the page; fail unless its status is 200."""
        answer = self.ask()
        assert answer.status == 200, f"{answer.status}: {answer.body}"
        return answer
