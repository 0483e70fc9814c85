"""Hosted zones as the DNS has them.

Each is on the name servers of its own delegation set, and found from above only through an NS record that names them.
The Route 53 API is read at each question, so that an answer is never older than the zone.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import addresses

_TLDS = ("com", "net", "org", "co.uk")
_PER_TLD = 512
"""Route 53's servers are numbered from 0 to 2047, a quarter of them beneath each of the four."""
_ADDRESSES = ipaddress.ip_network(addresses.NAME_SERVERS)
SETS = _ADDRESSES.num_addresses - 1
"""How many delegation sets there are; the last address is the link's broadcast."""


def delegation_set(number: int) -> list[str]:
    """The names of the four servers of a set, 0 to SETS - 1, as Route 53 spells them."""
    numbers = range(number, len(_TLDS) * _PER_TLD, _PER_TLD)
    return [f"ns-{n}.awsdns-{n // 8 % 64:02}.{tld}" for n, tld in zip(numbers, _TLDS, strict=True)]


def server_address(name: str) -> str | None:
    """Where the name server of that name listens, the four of a set at one address; None for any other name."""
    match = re.fullmatch(r"ns-([0-9]{1,4})\.awsdns-[0-9]{2}\.(com|net|org|co\.uk)\.", name)
    number = int(match[1]) % _PER_TLD if match else SETS
    return str(_ADDRESSES[number]) if number < SETS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record set. Names are in lower case and end with a dot."""

    name: str
    kind: str
    ttl: int
    values: tuple[str, ...]
    alias: str | None
    """What Route 53 answers for, in place of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A hosted zone with all that is in it."""

    name: str
    servers: frozenset[str]
    """Those of its delegation set, which alone answer for it, whatever the NS record at its top says."""
    is_world: bool
    """Whether the DNS above it is known to lead to it."""
    records: tuple[Record, ...]

    def at(self, name: str) -> list[Record]:
        """The record sets of a name."""
        return [each for each in self.records if each.name == name]

    def has(self, name: str) -> bool:
        """Whether the name exists, if only as the end of longer ones (RFC 8020)."""
        return any(f".{each.name}".endswith(f".{name}") for each in self.records)

    def cut(self, name: str, kind: str) -> Record | None:
        """The NS record that leads from this zone to the one that has the name; None when this one has it.

        What a parent says of its child (DS) is at the child's name, and the parent's all the same (RFC 4035, 3.1.4.1).
        """
        above = [
            each
            for each in self.records
            if each.kind == "NS" and each.name != self.name and f".{name}".endswith(f".{each.name}")
        ]
        first = min(above, key=lambda each: len(each.name), default=None)
        return None if first is not None and first.name == name and kind == "DS" else first


class Zones:
    """All public hosted zones of the account. Shared by threads."""

    def __init__(self, route53: Any, *, world: str) -> None:
        """Read by this client; `world` is the caller reference of the zones that the DNS above leads to."""
        self._route53 = route53
        self._world = world

    def above(self, name: str) -> list[Zone]:
        """Every zone that the name is in or beneath."""
        pages = self._route53.get_paginator("list_hosted_zones").paginate()
        return [
            self._read(each)
            for page in pages
            for each in page["HostedZones"]
            if f".{name}".endswith(f".{each['Name']}") and not each["Config"]["PrivateZone"]
        ]

    def _read(self, zone: Any) -> Zone:
        servers = self._route53.get_hosted_zone(Id=zone["Id"])["DelegationSet"]["NameServers"]
        pages = self._route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"])
        return Zone(
            name=zone["Name"],
            servers=frozenset(map(absolute, servers)),
            is_world=zone["CallerReference"] == self._world,
            records=tuple(_record(each) for page in pages for each in page["ResourceRecordSets"]),
        )


def on_server(zones: Sequence[Zone], address: str) -> Zone | None:
    """The nearest of the zones that the server at this address has."""
    there = [each for each in zones if address in map(server_address, each.servers)]
    return max(there, key=lambda each: len(each.name), default=None)


def from_world(zones: Sequence[Zone], name: str, kind: str) -> Iterator[Zone | None]:
    """Walk from the world's zone down every delegation to the one that has the name.

    It ends with None at a delegation that leads nowhere: to servers that do not have the zone.
    """
    zone = next((each for each in zones if each.is_world), None)
    while zone is not None:
        yield zone
        cut = zone.cut(name, kind)
        if cut is None:
            return
        servers = {absolute(each) for each in cut.values}
        zone = next((each for each in zones if each.name == cut.name and each.servers & servers), None)
    yield None


def absolute(name: str) -> str:
    """A name as DNS compares it: in lower case, with a dot at its end."""
    return f"{name.lower().rstrip('.')}."


def _record(answer: Any) -> Record:
    alias = answer.get("AliasTarget")
    return Record(
        name=absolute(answer["Name"]),
        kind=answer["Type"],
        ttl=int(answer.get("TTL", 0)),
        values=tuple(each["Value"] for each in answer.get("ResourceRecords", ())),
        alias=absolute(alias["DNSName"]) if alias else None,
    )
