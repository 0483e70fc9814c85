"""Hosted zones in DNS.

Each is on the name servers of its own delegation set, and is found from its parent only through an NS record with them.
The Route 53 API is read for each query, so that answers are never stale.
"""

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox import addresses

_TLDS = ("com", "net", "org", "co.uk")
_PER_TLD = 512
"""Route 53's servers are numbered from 0 to 2047; each of the four top-level domains has a quarter of them."""
_ADDRESSES = ipaddress.ip_network(addresses.NAME_SERVERS)
SETS = _ADDRESSES.num_addresses - 1
"""The number of delegation sets; the last address is the link's broadcast address."""


def delegation_set(number: int) -> list[str]:
    """Return the names of the four servers of a set, 0 to SETS - 1, in Route 53's format."""
    numbers = range(number, len(_TLDS) * _PER_TLD, _PER_TLD)
    return [f"ns-{n}.awsdns-{n // 8 % 64:02}.{tld}" for n, tld in zip(numbers, _TLDS, strict=True)]


def server_address(name: str) -> str | None:
    """Return the address of a name server, the same for the four of a set; None for any other name."""
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
    """The target of an alias record, which has no values; None for other records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """A hosted zone with its records."""

    name: str
    servers: frozenset[str]
    """The servers of its delegation set: only they answer for it, whatever its own NS record says."""
    is_world: bool
    """Whether it counts as delegated from the root."""
    records: tuple[Record, ...]

    def at(self, name: str) -> list[Record]:
        """Return the record sets of a name."""
        return [each for each in self.records if each.name == name]

    def has(self, name: str) -> bool:
        """Return whether the name exists, if only as the end of longer names (RFC 8020)."""
        return any(f".{each.name}".endswith(f".{name}") for each in self.records)

    def cut(self, name: str, kind: str) -> Record | None:
        """Return the NS record that delegates the name to another zone; None when this zone has it.

        A DS record is at the child's name, but belongs to the parent zone (RFC 4035, 3.1.4.1).
        """
        above = [
            each
            for each in self.records
            if each.kind == "NS" and each.name != self.name and f".{name}".endswith(f".{each.name}")
        ]
        first = min(above, key=lambda each: len(each.name), default=None)
        return None if first is not None and first.name == name and kind == "DS" else first


class Zones:
    """The public hosted zones of the account. It is safe to share between threads."""

    def __init__(self, route53: Any, *, world: str) -> None:
        """Take the client, and the caller reference of the zones that count as delegated from the root."""
        self._route53 = route53
        self._world = world

    def above(self, name: str) -> list[Zone]:
        """Return every zone at or above the name."""
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
    """Return the longest-named of the zones on the server at this address."""
    there = [each for each in zones if address in map(server_address, each.servers)]
    return max(there, key=lambda each: len(each.name), default=None)


def from_world(zones: Sequence[Zone], name: str, kind: str) -> Iterator[Zone | None]:
    """Yield the zones from the world's down the delegations to the one with the name.

    The last is None when a delegation leads to servers that do not have the zone.
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
    """Return a name in DNS' canonical form: lower case, with a dot at its end."""
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
