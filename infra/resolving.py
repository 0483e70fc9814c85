"""Asks name servers: a resolver for addresses and the like, authoritative servers for what must be certain."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.resolver
import dns.rrset

_ATTEMPT = 2.5
"""Seconds for one query to one server. It is sent twice, because a datagram may get lost."""

Answer = dns.message.Message | str
"""A server's answer, or the reason why there is none."""


class Dns:
    """The DNS as seen from one resolver, within a limited time."""

    def __init__(self, resolver: str | None, *, port: int, seconds: float) -> None:
        """Start at the resolver of that address, None for the machine's own; all servers listen on `port`.

        All lookups together take at most `seconds`. Raise DNSException if the machine has no resolver.
        """
        self._resolver = dns.resolver.Resolver(configure=resolver is None)
        if resolver is not None:
            self._resolver.nameservers = [resolver]
        self._resolver.port = port
        self._port = port
        self._ends = time.monotonic() + seconds

    @property
    def resolver(self) -> str:
        """The addresses of the resolvers, for a message."""
        return ", ".join(str(each) for each in self._resolver.nameservers)

    def zone_of(self, name: dns.name.Name) -> dns.name.Name:
        """Return the zone that contains the name. Raise DNSException if the resolver does not answer."""
        return dns.resolver.zone_for_name(name, resolver=self._resolver, lifetime=self._within(2 * _ATTEMPT))

    def resolve(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
        """Return the resolver's answer; None if there is no such record. Raise DNSException if it does not answer."""
        try:
            found = self._resolver.resolve(name, kind, lifetime=self._within(2 * _ATTEMPT), search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return None
        return found.rrset

    def located(self, servers: Iterable[dns.name.Name]) -> dict[dns.name.Name, str | None]:
        """Return the address of each name server; None if it has none or its name cannot be resolved."""
        with ThreadPoolExecutor(max_workers=16) as pool:
            names = list(servers)
            return dict(zip(names, pool.map(self._address, names), strict=True))

    def ask(
        self, servers: Mapping[dns.name.Name, str | None], name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> dict[dns.name.Name, Answer]:
        """Ask all servers at the same time for what they know themselves, and return the answers by server."""
        with ThreadPoolExecutor(max_workers=16) as pool:
            answers = pool.map(lambda address: self._ask(address, name, kind), servers.values())
            return dict(zip(servers, answers, strict=True))

    def _address(self, server: dns.name.Name) -> str | None:
        try:
            found = self.resolve(server, dns.rdatatype.A) or self.resolve(server, dns.rdatatype.AAAA)
        except dns.exception.DNSException:
            return None
        return str(found[0]) if found else None

    def _ask(self, address: str | None, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Answer:
        if address is None:
            return "it has no address"
        question = dns.message.make_query(name, kind, flags=0)  # no recursion
        problem = ""
        for _ in range(2):
            try:
                seconds = self._within(_ATTEMPT)
                return dns.query.udp_with_fallback(question, address, timeout=seconds, port=self._port)[0]
            except (dns.exception.DNSException, OSError) as error:
                problem = f"{address} does not answer ({error or type(error).__name__})"
        return problem

    def _within(self, seconds: float) -> float:
        # Never 0: a lookup without time would fail in another way.
        return max(0.1, min(seconds, self._ends - time.monotonic()))
