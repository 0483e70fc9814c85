"""The name server: answers from the hosted zones in Route 53 and for balancers' names, and forwards the rest.

It reads the AWS API at each question, so that an answer is never older than the zone. The zone is the one that
matches most labels (RFC 1034, 4.3.2); a CNAME and an alias are followed to what they stand for.
"""

import threading
from collections.abc import Iterator
from typing import Any

import boto3
from dnslib import CNAME, NS, QTYPE, RCODE, RR, SOA, A, DNSRecord
from dnslib.server import BaseResolver, DNSLogger, DNSServer

from sandbox import layout as net
from sandbox.cloud import balancer

_BALANCER_TTL = 60
"""Seconds, as AWS gives for a classic ELB's name."""


class Resolver(BaseResolver):  # type: ignore[misc]  # dnslib is not typed
    """Answers one question at a time; the clients are safe to share between threads."""

    def __init__(self) -> None:
        self._route53 = boto3.client("route53", region_name=net.REGION)
        self._ec2 = boto3.client("ec2", region_name=net.REGION)

    def resolve(self, request: DNSRecord, handler: Any) -> DNSRecord:
        """The reply to a question: authoritative for zones and balancers, the upstream's for anything else."""
        name, kind = str(request.q.qname).lower(), QTYPE[request.q.qtype]
        zone = self._zone(name)
        if zone is None and not name.endswith(balancer.DOMAIN):
            return DNSRecord.parse(request.send(net.UPSTREAM_DNS, 53, tcp=handler.protocol == "tcp", timeout=5))
        reply = request.reply(aa=1)
        found = list(self._answers(name, kind, depth=0))
        for record in found:
            reply.add_answer(record)
        if not found:
            if zone is not None:
                reply.add_auth(RR(zone["Name"], QTYPE.SOA, rdata=SOA("ns.sandbox.", "root.sandbox."), ttl=60))
            if zone is None or not any(self._records(zone, name)):
                reply.header.rcode = RCODE.NXDOMAIN
        return reply

    def _answers(self, name: str, kind: str, depth: int) -> Iterator[RR]:
        if depth > 8:  # a loop of CNAMEs
            return
        if name.endswith(balancer.DOMAIN):
            if kind == "A":
                for address in balancer.addresses(self._ec2, name.rstrip(".")):
                    yield RR(name, QTYPE.A, rdata=A(address), ttl=_BALANCER_TTL)
            return
        zone = self._zone(name)
        for record in self._records(zone, name) if zone is not None else ():
            if record["Type"] not in (kind, "CNAME"):
                continue
            if "AliasTarget" in record:
                for answer in self._answers(_absolute(record["AliasTarget"]["DNSName"]), kind, depth + 1):
                    yield RR(name, QTYPE.A, rdata=answer.rdata, ttl=answer.ttl)
                continue
            for value in (entry["Value"] for entry in record["ResourceRecords"]):
                if record["Type"] == "CNAME":
                    yield RR(name, QTYPE.CNAME, rdata=CNAME(value), ttl=record["TTL"])
                    if kind != "CNAME":
                        yield from self._answers(_absolute(value), kind, depth + 1)
                elif record["Type"] == "NS":
                    yield RR(name, QTYPE.NS, rdata=NS(value), ttl=record["TTL"])
                else:
                    yield from RR.fromZone(f"{name} {record['TTL']} IN {record['Type']} {value}")

    def _zone(self, name: str) -> Any:
        """The hosted zone with the longest name that `name` ends in, or None."""
        pages = self._route53.get_paginator("list_hosted_zones").paginate()
        zones = [zone for page in pages for zone in page["HostedZones"] if f".{name}".endswith(f".{zone['Name']}")]
        return max(zones, key=lambda zone: len(zone["Name"]), default=None)

    def _records(self, zone: Any, name: str) -> Iterator[Any]:
        pages = self._route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
        return (record for page in pages for record in page["ResourceRecordSets"] if record["Name"].lower() == name)


def _absolute(name: str) -> str:
    return name.lower() if name.endswith(".") else f"{name.lower()}."


def main() -> None:
    """Serve over UDP and TCP until ended."""
    logger = DNSLogger("request,reply,truncated,error")
    for tcp in (False, True):
        DNSServer(Resolver(), address=net.NODE_ADDRESS, port=53, tcp=tcp, logger=logger).start_thread()
    threading.Event().wait()


if __name__ == "__main__":
    main()
