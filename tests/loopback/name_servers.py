"""Name servers on loopback for tests, each at its own address with its own records."""

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

RESOLVER = "127.0.53.1"


class Answering(Protocol):
    """Something that can answer DNS queries."""

    def answer(self, question: dns.message.Message) -> dns.message.Message:
        """Return the reply to a query."""


@dataclass(slots=True, kw_only=True)
class Server:
    """A name server with records and referrals, written as lines of a zone file."""

    zones: tuple[str, ...] = ()
    """The zones for which it is authoritative."""
    records: list[str] = field(default_factory=list)
    """`name TTL type value`; an NS record below the apex of a zone is a referral."""
    recursive: bool = False
    """Whether it is a resolver: it answers for names in every zone, never authoritatively and without referrals."""
    asked: list[dns.name.Name] = field(default_factory=list)
    """The names in the queries so far."""

    def answer(self, question: dns.message.Message) -> dns.message.Message:
        """Reply as a name server does (RFC 1034, 4.3.2)."""
        reply = dns.message.make_response(question, recursion_available=self.recursive)
        [asked] = question.question
        self.asked.append(asked.name)
        zone = max((each for each in map(_name, self.zones) if asked.name.is_subdomain(each)), default=None, key=len)
        if zone is None and not self.recursive:
            reply.set_rcode(dns.rcode.REFUSED)
            return reply
        known = [_rrset(line) for line in self.records]
        cut = [
            each
            for each in known
            if each.rdtype == dns.rdatatype.NS and each.name not in map(_name, self.zones) and not self.recursive
            if asked.name.is_subdomain(each.name) and asked.rdtype != dns.rdatatype.DS
        ]
        if cut:
            reply.authority += _merged(cut)
            return reply
        reply.flags |= 0 if self.recursive else dns.flags.AA
        named = [each for each in known if each.name == asked.name]
        reply.answer += _merged([each for each in named if each.rdtype in (asked.rdtype, dns.rdatatype.CNAME)])
        if not reply.answer:
            if not any(each.name.is_subdomain(asked.name) for each in known):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            tops = [each for each in known if each.rdtype == dns.rdatatype.SOA and asked.name.is_subdomain(each.name)]
            reply.authority += sorted(tops, key=lambda each: len(each.name))[-1:]
        return reply


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text)


def _rrset(line: str) -> dns.rrset.RRset:
    name, ttl, kind, value = line.split(maxsplit=3)
    return dns.rrset.from_text(_name(name), int(ttl), "IN", kind, value)


def _merged(rrsets: list[dns.rrset.RRset]) -> list[dns.rrset.RRset]:
    sets: dict[tuple[object, ...], dns.rrset.RRset] = {}
    for each in rrsets:
        sets.setdefault((each.name, each.rdtype), each).update(each)  # type: ignore[no-untyped-call]  # dnspython
    return list(sets.values())


@contextlib.contextmanager
def serving(servers: Mapping[str, Answering], port: int = 0) -> Iterator[int]:
    """Run each server at its address, all on the same port; yield the port. 0 stands for a free one."""
    with contextlib.ExitStack() as stack:
        sockets: dict[str, socket.socket] = {}
        for address in servers:
            sockets[address] = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sockets[address].bind((address, port))
            port = sockets[address].getsockname()[1]
        for address, server in servers.items():
            thread = threading.Thread(target=_serve, args=(sockets[address], server), daemon=True)
            thread.start()
            stack.callback(thread.join)
            # An empty datagram ends the thread.
            stack.callback(sockets[address].sendto, b"", (address, port))
        yield port


def _serve(connection: socket.socket, server: Answering) -> None:
    while True:
        data, client = connection.recvfrom(65535)
        if not data:
            return
        connection.sendto(server.answer(dns.message.from_wire(data)).to_wire(), client)
