"""The name servers: a recursive resolver, and those of the hosted zones.

The node's address has the resolver, like that of an Internet provider. It follows the delegations from the world's zone
down to the zone with the name, as from the root, and forwards names that are in none of the world's zones. The
addresses of NAME_SERVERS have Route 53's servers: each answers for the zones of its delegation set, refers to other
servers at an NS record, and refuses everything else (RFC 1034, 4.3.2).
"""

import ipaddress
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import boto3
from dnslib import QTYPE, RCODE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer, UDPServer

from sandbox import addresses
from sandbox.aws import data_plane
from sandbox.aws.zones import Record, Zone, Zones, absolute, from_world, on_server, server_address

_ECR_DOMAIN = f"{addresses.ECR_DOMAIN}."
_BALANCER_TTL = 60
"""Seconds, as on AWS for a classic ELB's name."""
_SERVER_TTL = 172800
"""Seconds, as on AWS for its name servers."""
_LOOPS = 8
"""The longest chain of CNAMEs that is followed; a longer one counts as a loop."""


class Resolver(BaseResolver):  # type: ignore[misc]  # dnslib is not typed
    """Answers queries. It is safe to share between threads, like its clients."""

    def __init__(self) -> None:
        self._zones = Zones(boto3.client("route53", region_name=addresses.REGION), world=addresses.WORLD)
        self._ec2 = boto3.client("ec2", region_name=addresses.REGION)

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        """Return the reply to a query, according to the address it was sent to."""
        name, kind = absolute(str(request.q.qname)), QTYPE[request.q.qtype]
        asked = handler.request.getsockname()[0] if handler.protocol == "tcp" else handler.request[1].address
        if asked != addresses.NODE_ADDRESS:
            return self._authoritative(request, on_server(self._zones.above(name), asked), name, kind)
        return self._recursive(request, name, kind, tcp=handler.protocol == "tcp")

    def _authoritative(self, request: DNSRecord, zone: Zone | None, name: str, kind: str) -> DNSRecord:
        reply = request.reply(ra=0)
        if zone is None:
            reply.header.rcode = RCODE.REFUSED
        elif (cut := zone.cut(name, kind)) is not None:
            reply.add_auth(*_rrs(cut))
        else:
            reply.header.aa = 1
            self._fill(reply, zone, name, list(self._in_zone(zone, name, kind)))
        return reply

    def _recursive(self, request: DNSRecord, name: str, kind: str, *, tcp: bool) -> DNSRecord:
        reply = request.reply(ra=1)
        if name.endswith((data_plane.DOMAIN, _ECR_DOMAIN)) or server_address(name):
            reply.add_answer(*(self._of_aws(name) if kind == "A" else ()))
            return reply
        zones = self._zones.above(name)
        if not any(each.is_world for each in zones):
            return DNSRecord.parse(request.send(addresses.UPSTREAM_DNS, 53, tcp=tcp, timeout=5))
        *_, zone = from_world(zones, name, kind)
        if zone is None:
            reply.header.rcode = RCODE.SERVFAIL
            return reply
        found = list(self._in_zone(zone, name, kind))
        for _ in range(_LOOPS):
            target = absolute(str(found[-1].rdata)) if found and found[-1].rtype == QTYPE.CNAME else None
            if target is None or kind == "CNAME":
                break
            *_, elsewhere = from_world(self._zones.above(target), target, kind)
            more = self._of_aws(target) if elsewhere is None else self._in_zone(elsewhere, target, kind)
            if not (following := list(more)):
                break
            found += following
        self._fill(reply, zone, name, found)
        return reply

    def _fill(self, reply: DNSRecord, zone: Zone, name: str, found: list[RR]) -> None:
        """Fill in the answer, or the SOA record that says how long its absence may be cached (RFC 2308)."""
        reply.add_answer(*found)
        if not found:
            reply.add_auth(*(rr for record in zone.at(zone.name) if record.kind == "SOA" for rr in _rrs(record)))
            if not zone.has(name):
                reply.header.rcode = RCODE.NXDOMAIN

    def _in_zone(self, zone: Zone, name: str, kind: str) -> Iterator[RR]:
        for record in zone.at(name):
            if record.kind in (kind, "CNAME"):
                if record.alias is None:
                    yield from _rrs(record)
                else:
                    yield from (
                        RR(name, QTYPE.A, rdata=each.rdata, ttl=each.ttl) for each in self._of_aws(record.alias)
                    )

    def _of_aws(self, name: str) -> Iterator[RR]:
        """Yield the addresses of a load balancer, a name server or an ECR registry."""
        if found := server_address(name):
            yield RR(name, QTYPE.A, rdata=A(found), ttl=_SERVER_TTL)
        elif name.endswith(data_plane.DOMAIN):
            for each in data_plane.addresses_of(self._ec2, name.rstrip(".")):
                yield RR(name, QTYPE.A, rdata=A(each), ttl=_BALANCER_TTL)
        elif name.endswith(_ECR_DOMAIN):
            yield RR(name, QTYPE.A, rdata=A(addresses.ECR_ADDRESS), ttl=_BALANCER_TTL)


def _rrs(record: Record) -> Iterator[RR]:
    for value in record.values:
        yield from RR.fromZone(f"{record.name} {record.ttl} IN {record.kind} {value}", origin=".")


_IP_PKTINFO = 8
"""IP_PKTINFO of <bits/in.h>, which Python 3.11 lacks: a datagram comes with its destination address (ip(7))."""
_PKTINFO = struct.Struct("@I4s4s")
"""struct in_pktinfo: the interface, the local address, and the destination in the header."""


class _Udp(UDPServer):  # type: ignore[misc]  # dnslib is not typed
    """Receives queries at every address, and answers from the address of the query."""

    def server_bind(self) -> None:
        """Request every datagram's destination address."""
        self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        super().server_bind()

    def get_request(self) -> Any:
        """Return a datagram with an object to answer it, and its sender."""
        data, [(_, _, info)], _, client = self.socket.recvmsg(65535, socket.CMSG_SPACE(_PKTINFO.size))
        return (data, _Way(self.socket, _PKTINFO.unpack(info)[2])), client


class _Way:
    """Sends dnslib's answer from the address of the query."""

    def __init__(self, connection: socket.socket, packed: bytes) -> None:
        self._connection, self._packed = connection, packed
        self.address = str(ipaddress.IPv4Address(packed))

    def sendto(self, data: bytes, client: Any) -> None:
        """Send from the address of the query."""
        info = (socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO.pack(0, self._packed, bytes(4)))
        self._connection.sendmsg([data], [info], 0, client)


def main() -> None:
    """Serve over UDP and TCP until ended."""
    resolver, logger = Resolver(), DNSLogger("request,reply,truncated,error")
    DNSServer(resolver, address="0.0.0.0", logger=logger, server=_Udp).start_thread()  # noqa: S104  # in the machine
    DNSServer(resolver, address="0.0.0.0", logger=logger, tcp=True).start_thread()  # noqa: S104
    threading.Event().wait()


if __name__ == "__main__":
    main()
