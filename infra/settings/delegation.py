"""The `delegation` section: the NS record in the parent zone."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import ValidationInfo, field_validator

from infra.settings.section import Section, expected, facts, refused
from infra.settings.values import Address, host_name

ParentZone = Annotated[str, expected("a DNS name in lower case such as example.com, or the id of a hosted zone")]


class Delegation(Section):
    """The NS record in the parent zone, through which the DNS finds the hosted zone.

    The program asks the parent zone's name servers for it before anything depends on it. If it is missing, `up` stops
    there, after half a minute or when the first image is built, and prints the record to enter.
    """

    parent_zone: ParentZone | None = None
    """A public hosted zone above the domain, in the same account. The program creates the NS record in it. Give its id
    if two zones have the name. An identical record that exists is taken over, a different one is refused. Without this
    key, somebody with access to the parent zone has to enter the record."""
    resolver: Address | None = None
    """The address of the resolver where lookups start. Set it if this machine's resolver does not see the public
    DNS."""

    @field_validator("parent_zone")
    @classmethod
    def _above_the_domain(cls, parent: str | None, info: ValidationInfo) -> str | None:
        # An id of Route 53 begins with a Z, in upper case.
        if parent is None or re.fullmatch(r"Z[A-Z0-9]{1,31}", parent):
            return parent
        name, domain = host_name(parent), facts(info).domain
        if domain and not domain.endswith(f".{name}"):
            raise refused(f"a zone above {domain}")
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationSettings:
    """The zone to be delegated, the hosts to certify, and how to look them up."""

    domain: str
    """The name of the hosted zone."""
    certified: tuple[str, ...]
    """The hosts that ACM has to certify; empty if a certificate is given."""
    parent_zone: str | None
    """The name or id of the hosted zone in the same account that gets the NS record; None if it is in no such zone."""
    resolver: str | None
    """The address of the resolver to start at; None for the machine's own."""
