"""How the DNS leads to the hosted zone."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import ValidationInfo, field_validator

from infra.settings.section import Section, expected, facts, refused
from infra.settings.values import Address, host_name

ParentZone = Annotated[str, expected("a DNS name in lower case such as example.com, or the id of a hosted zone")]


class Delegation(Section):
    """How the DNS leads to the hosted zone.

    It is looked up at the parent zone's name servers before anything waits for it; where it is missing, `up` ends
    within 30 seconds with what to enter.
    """

    parent_zone: ParentZone | None = None
    """A public hosted zone of the same account above the domain, in which the NS record is then made; its id where two
    have the name. Without it the record is entered by whoever has the parent zone."""
    resolver: Address | None = None
    """Where lookups begin, for a machine whose own resolver sees other names than the world."""

    @field_validator("parent_zone")
    @classmethod
    def _above_the_domain(cls, given: str | None, info: ValidationInfo) -> str | None:
        # An id of Route 53 begins with a Z, in upper case.
        if given is None or re.fullmatch(r"Z[A-Z0-9]{1,31}", given):
            return given
        name, domain = host_name(given), facts(info).domain
        if domain and not domain.endswith(f".{name}"):
            raise refused(f"a zone above {domain}")
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationSettings:
    """Who makes the world find the hosted zone, and what is looked up of that where."""

    domain: str
    """The hosted zone."""
    certified: str | None
    """The host that ACM is asked to certify; None when a certificate is given."""
    parent_zone: str | None
    """The name or the id of a hosted zone of the same account that gets the NS record; None where it is another's."""
    resolver: str | None
    """The address of the resolver to begin at; None for the machine's own."""
