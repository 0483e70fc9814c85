"""Ask for the site as a visitor would: by its name, over HTTPS, with its certificate verified."""

import http.client
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import dns.resolver

from sandbox import addresses


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a visit ended with: the balancer's address, the HTTP status, and the page."""

    address: str
    status: int
    page: str


NEW = 5
"""Seconds within which a new balancer has an address; ELB's own takes about as long to be found."""


def address(host: str) -> str:
    """The address that the sandbox's name server gives for a host. Raises OSError when it knows none within NEW."""
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = [addresses.NODE_ADDRESS]
    resolver.lifetime = 5.0
    deadline = time.monotonic() + NEW
    while True:
        try:
            return str(resolver.resolve(host, "A")[0])
        except dns.exception.DNSException as error:
            if time.monotonic() > deadline:
                raise OSError(f"{host} has no address: {error}") from error
        time.sleep(0.5)


def visit(url: str, *, authority: Path) -> Answer:
    """Get an https URL once. Raises OSError when the name, the connection, or the certificate is not good."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = address(host)
    context = ssl.create_default_context(cafile=authority)
    with (
        socket.create_connection((found, parts.port or 443), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        connection = http.client.HTTPSConnection(host, timeout=5)
        connection.sock = secure
        try:
            connection.request("GET", parts.path or "/")
            response = connection.getresponse()
            return Answer(address=found, status=response.status, page=response.read().decode())
        except http.client.HTTPException as error:
            raise OSError(f"{url} did not answer in HTTP: {error!r}") from error
