"""Checks whether the DNS leads to a zone: it asks the zone's and its parent's name servers, not a cache."""

import contextlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
from dns.rdatatype import CAA, CNAME, DNSKEY, DS, NS, SOA

from infra.resolving import Answer, Dns

SECONDS = 25.0
"""Seconds for the whole check: an `up` without a delegation has to end within 30."""
RECORD_TTL = 300
"""The TTL in seconds of the NS record in the parent zone: short, because a recreated zone has other name servers."""
AMAZON = (b"amazon.com", b"amazontrust.com", b"awstrust.com", b"amazonaws.com")
"""The issuers of which a CAA record must allow one for ACM
(https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html)."""

Name = dns.name.Name


class DelegationError(Exception):
    """The DNS does not lead to the zone."""

    def __init__(self, problem: str, *, remedy: str, unknown: bool = False) -> None:
        """Take what is wrong, and what to do about it."""
        super().__init__(f"{problem}\n{remedy}")
        self.problem = problem
        self.remedy = remedy
        self.unknown = unknown
        """Whether no server answered that would know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Referral:
    """What a name server of the parent zone says about the zone."""

    servers: frozenset[str]
    alias: str = ""
    """The target, if the zone's name is a CNAME."""
    remembered: int = 0
    """Seconds for which resolvers cache that there is no record."""

    @property
    def text(self) -> str:
        if self.servers:
            return f"names {', '.join(sorted(self.servers))}"
        return f"has a CNAME to {self.alias} in its place, maybe by a wildcard" if self.alias else "has no NS record"


def records(domain: str, name_servers: Collection[str]) -> str:
    """Return the NS record that the parent zone needs: a line for each server, as in a zone file."""
    return "\n".join(f"{domain}. {RECORD_TTL} IN NS {each}." for each in sorted(_normalized(name_servers)))


def verify(
    domain: str,
    name_servers: Collection[str],
    *,
    certified: Iterable[str] = (),
    resolver: str | None = None,
    port: int = 53,
) -> str:
    """Check that the DNS leads to the zone on these name servers, and return the name of its parent zone.

    `certified` are the hosts that ACM has to certify, if any: no CAA record may forbid it. `resolver` is the address of
    the resolver to start at, None for the machine's own; all servers listen on `port`. Raise DelegationError, after
    SECONDS at most.
    """
    zone, expected_servers = dns.name.from_text(domain), _normalized(name_servers)
    try:
        world = Dns(resolver, port=port, seconds=SECONDS)
    except dns.exception.DNSException as error:
        raise _unanswered(f"This machine has no resolver: {error}.") from error
    own: Mapping[Name, str | None] = {}
    try:
        parent = world.zone_of(zone.parent())
        above = world.located(each.target for each in world.resolve(parent, NS) or ())
        if _check_delegation(world, zone, expected_servers, parent, above):
            own = world.located(map(dns.name.from_text, expected_servers))
            _check_servers(world.ask(own, zone, SOA), zone)
            _check_dnssec(world, zone, parent, above, own)
        for host in certified:
            _check_caa(world, dns.name.from_text(host), zone, own)
    except dns.exception.DNSException as error:
        raise _unanswered(
            f"The resolver at {world.resolver} does not say where {domain} is in the DNS: {error}"
        ) from error
    return _text(parent)


def _check_delegation(
    world: Dns, zone: Name, expected_servers: frozenset[str], parent: Name, above: Mapping[Name, str | None]
) -> bool:
    """Refuse any other delegation. Return False if no server of the parent answers and only a resolver confirms it."""
    answers = world.ask(above, zone, NS)
    referrals = {
        server: referral for server, answer in answers.items() if (referral := _referral(answer, zone)) is not None
    }
    if not referrals:
        known = world.resolve(zone, NS)
        if known is not None and _normalized(str(each.target) for each in known) == expected_servers:
            return False
        reasons = "; ".join(f"{_text(server)}: {_reason(answer)}" for server, answer in answers.items())
        raise _unanswered(
            f"No name server of {_text(parent)}, the zone above {_text(zone)}, answers here "
            f"({reasons or 'it has none'}), and the resolver at {world.resolver} does not know the delegation."
        )
    wrong = {server: referral for server, referral in referrals.items() if referral.servers != expected_servers}
    if wrong:
        raise _undelegated(zone, expected_servers, parent, wrong, late=len(wrong) < len(referrals))
    return True


def _referral(answer: Answer, zone: Name) -> _Referral | None:
    """Read the answer of a parent zone's server; return None if it says nothing about the zone."""
    if isinstance(answer, str):
        return None
    # A referral is in the authority section. A server that has both zones answers with the zone's own record.
    for rrset in (*answer.answer, *answer.authority):
        if rrset.name == zone and rrset.rdtype == NS:
            return _Referral(servers=_normalized(str(each.target) for each in rrset))
    if not answer.flags & dns.flags.AA or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    aliases = [_text(rrset[0].target) for rrset in answer.answer if rrset.rdtype == CNAME]
    negative = [min(rrset.ttl, rrset[0].minimum) for rrset in answer.authority if rrset.rdtype == SOA]
    return _Referral(servers=frozenset(), alias="".join(aliases[:1]), remembered=max(negative, default=0))


def _undelegated(
    zone: Name, expected_servers: frozenset[str], parent: Name, wrong: Mapping[Name, _Referral], *, late: bool
) -> DelegationError:
    domain, above, between = _text(zone), _text(parent), _text(zone.parent())
    server, referral = next(iter(wrong.items()))
    problem = f"The zone above {domain} in the DNS is {above}, and it {referral.text}, as {_text(server)} says."
    of_registry = len(parent) == 2  # one label and the root
    if late:
        remedy = f"Other name servers of {above} name the right ones already: wait until all of them do."
    elif of_registry and zone.parent() == parent:
        servers = "\n".join(sorted(expected_servers))
        remedy = f"Where {domain} is registered, make these its name servers, and no others:\n\n{servers}\n"
    else:
        entered = f", in place of what is there for {domain}" if referral.servers or referral.alias else ""
        remedy = f"Enter this NS record in the zone {between if of_registry else above}{entered}:\n\n"
        remedy += f"{records(domain, expected_servers)}\n"
    if zone.parent() != parent:
        problem += f" No zone is in between: if {between} is meant to be one, it is not delegated itself."
    if referral.remembered:
        remedy += f"\nResolvers may cache the missing record for {referral.remembered} s."
    return DelegationError(problem, remedy=remedy)


def _check_servers(answers: Mapping[Name, Answer], zone: Name) -> None:
    """Refuse a lame delegation: at least one of the zone's own servers must have the zone."""
    if not any(_has_zone(answer, zone) for answer in answers.values()):
        reasons = "; ".join(f"{_text(server)}: {_reason(answer)}" for server, answer in sorted(answers.items()))
        raise DelegationError(
            f"{_text(zone)} is delegated, but none of its name servers has the zone ({reasons}).",
            remedy="If the hosted zone was deleted, run `pulumi refresh`, which finds out.",
            unknown=all(isinstance(answer, str) for answer in answers.values()),
        )


def _has_zone(answer: Answer, zone: Name) -> bool:
    if isinstance(answer, str) or not answer.flags & dns.flags.AA:
        return False
    return any(rrset.name == zone and rrset.rdtype == SOA for rrset in answer.answer)


def _check_dnssec(
    world: Dns, zone: Name, parent: Name, above: Mapping[Name, str | None], own: Mapping[Name, str | None]
) -> None:
    """Refuse a DS record in the parent zone that matches no key of the zone: validating resolvers reject the zone."""
    ds = _found(world.ask(above, zone, DS), zone, DS)
    if ds is None:
        return
    import dns.dnssec  # only if needed: it loads cryptography, which takes a good part of a second

    keys = _found(world.ask(own, zone, DNSKEY), zone, DNSKEY)
    for expected in ds:
        for key in keys or ():
            # A digest that cannot be computed here proves nothing; another record may match.
            with contextlib.suppress(dns.exception.UnsupportedAlgorithm, dns.exception.DeniedByPolicy):
                if dns.dnssec.make_ds(zone, key, expected.digest_type, validating=True) == expected:
                    return
    domain, found = _text(zone), "signed with other keys" if keys else "not signed"
    raise DelegationError(
        f"{_text(parent)} has a DS record for {domain}, and the zone is {found}: resolvers that validate "
        "DNSSEC, ACM's among them, reject all its answers.",
        remedy=f"Remove the DS record for {domain} from {_text(parent)} (at a registrar, turn DNSSEC off for it), or "
        "sign the hosted zone and enter its own.",
    )


def _check_caa(world: Dns, host: Name, zone: Name, own: Mapping[Name, str | None]) -> None:
    """Refuse a CAA record that forbids Amazon to certify the host. The nearest one applies (RFC 8659).

    In the zone, ask its own servers: a resolver would cache, for 15 minutes in a zone of Route 53, that the host does
    not exist, and then not find the site (RFC 2308).
    """
    name = host
    while name != dns.name.root:
        if own and name.is_subdomain(zone):
            found = _found(world.ask(own, name, CAA), name, CAA)
        else:
            found = world.resolve(name, CAA)
        if found is not None:
            issuers = [each.value.partition(b";")[0].strip() for each in found if each.tag.lower() == b"issue"]
            if issuers and not set(issuers) & set(AMAZON):
                raise DelegationError(
                    f"The CAA record of {_text(name)} lets only others certify {_text(host)}, so ACM cannot: "
                    + ", ".join(each.to_text() for each in found),
                    remedy=f'Add a CAA record to {_text(name)}: 0 issue "amazon.com". '
                    f"Resolvers may cache the old one for {found.ttl} s.",
                )
            return
        name = name.parent()


def _found(answers: Mapping[Name, Answer], name: Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    for answer in answers.values():
        for rrset in () if isinstance(answer, str) else answer.answer:
            if rrset.name == name and rrset.rdtype == kind:
                return rrset
    return None


def _unanswered(problem: str) -> DelegationError:
    remedy = (
        "Run this where the Internet's name servers can be reached, or set delegation.resolver to the address of a "
        "resolver that can reach them."
    )
    return DelegationError(problem, remedy=remedy, unknown=True)


def _reason(answer: Answer) -> str:
    return answer if isinstance(answer, str) else f"it answers {dns.rcode.to_text(answer.rcode())} without authority"


def _normalized(names: Iterable[str]) -> frozenset[str]:
    return frozenset(each.rstrip(".").lower() for each in names)


def _text(name: Name) -> str:
    return name.to_text(omit_final_dot=True)
