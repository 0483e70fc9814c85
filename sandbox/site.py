"""Look up a site's address in the sandbox, whose names only its own name server knows."""

import time

import dns.resolver

from sandbox import addresses

NEW = 5
"""Seconds within which a new load balancer has an address; ELB takes about as long."""


def address(host: str) -> str:
    """Return a host's address from the sandbox's name server. Raises OSError when there is none within NEW seconds."""
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
