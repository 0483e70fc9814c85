"""Whether the DNS leads to a zone: asked of the parent zone's name servers and of its own, and of no cache."""

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
"""How long it may take in all: an `up` without a delegation is to end within 30."""
RECORD_TTL = 300
"""Seconds, of the NS record in the parent zone: a zone that is made again has other name servers."""
AMAZON = (b"amazon.com", b"amazontrust.com", b"awstrust.com", b"amazonaws.com")
"""Whom a CAA record has to allow for ACM (https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html)."""

Name = dns.name.Name


class DelegationError(Exception):
    """The DNS does not lead to the zone."""

    def __init__(self, problem: str, *, remedy: str, undelegated: str = "", unknown: bool = False) -> None:
        """Fail with what is wrong, and what to do about it."""
        super().__init__(f"{problem}\n{remedy}")
        self.problem = problem
        self.remedy = remedy
        self.undelegated = undelegated
        """The parent zone, when it is its record that is missing or wrong."""
        self.unknown = unknown
        """Whether nobody answered who has to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a server of the parent zone says of the zone."""

    servers: frozenset[str]
    alias: str = ""
    """What its name is a CNAME for."""
    remembered: int = 0
    """Seconds for which a resolver remembers that there is nothing."""

    @property
    def text(self) -> str:
        if self.servers:
            return f"names {', '.join(sorted(self.servers))}"
        return f"has a CNAME to {self.alias} in its place, maybe by a wildcard" if self.alias else "has no NS record"


def records(domain: str, name_servers: Collection[str]) -> str:
    """The NS record that the parent zone needs: a line for each server, as a zone file or a form takes it."""
    return "\n".join(f"{domain}. {RECORD_TTL} IN NS {each}." for each in sorted(_plain(name_servers)))


def verify(
    domain: str,
    name_servers: Collection[str],
    *,
    certified: str | None = None,
    resolver: str | None = None,
    port: int = 53,
) -> str:
    """See that the DNS leads to the zone on these name servers, and give the name of its parent zone.

    `certified` is a host for which ACM is to give a certificate, if it is: no CAA record may be against that.
    `resolver` is the address of the one to begin at, None for the machine's own; every server listens at `port`.
    Raises DelegationError, after SECONDS at most.
    """
    zone, wanted = dns.name.from_text(domain), _plain(name_servers)
    try:
        world = Dns(resolver, port=port, seconds=SECONDS)
    except dns.exception.DNSException as error:
        raise _lost(f"This machine has no resolver: {error}.") from error
    try:
        parent = world.zone_of(zone.parent())
        above = world.located(each.target for each in world.resolve(parent, NS) or ())
        if _delegated(world, zone, wanted, parent, above):
            own = world.located(map(dns.name.from_text, wanted))
            _served(world.ask(own, zone, SOA), zone)
            _validated(world, zone, parent, above, own)
        if certified is not None:
            _certifiable(world, dns.name.from_text(certified))
    except dns.exception.DNSException as error:
        raise _lost(f"The resolver at {world.resolver} does not say where {domain} is in the DNS: {error}") from error
    return _text(parent)


def _delegated(world: Dns, zone: Name, wanted: frozenset[str], parent: Name, above: Mapping[Name, str | None]) -> bool:
    """Refuse any other delegation; False when only a resolver could be asked, since the servers do not answer."""
    answers = world.ask(above, zone, NS)
    heard = {server: told for server, answer in answers.items() if (told := _told(answer, zone)) is not None}
    if not heard:
        known = world.resolve(zone, NS)
        if known is not None and _plain(str(each.target) for each in known) == wanted:
            return False
        reasons = "; ".join(f"{_text(server)}: {_reason(answer)}" for server, answer in answers.items())
        raise _lost(
            f"No name server of {_text(parent)}, the zone above {_text(zone)}, answers here "
            f"({reasons or 'it has none'}), and the resolver at {world.resolver} does not know the delegation."
        )
    wrong = {server: told for server, told in heard.items() if told.servers != wanted}
    if wrong:
        raise _undelegated(zone, wanted, parent, wrong, late=len(wrong) < len(heard))
    return True


def _told(answer: Answer, zone: Name) -> _Told | None:
    """Read the answer of a server of the parent zone; None for one that says nothing about the zone."""
    if isinstance(answer, str):
        return None
    # A referral is in the authority section. A server that has both zones answers with the zone's own record.
    for rrset in (*answer.answer, *answer.authority):
        if rrset.name == zone and rrset.rdtype == NS:
            return _Told(servers=_plain(str(each.target) for each in rrset))
    if not answer.flags & dns.flags.AA or answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return None
    aliases = [_text(rrset[0].target) for rrset in answer.answer if rrset.rdtype == CNAME]
    negative = [min(rrset.ttl, rrset[0].minimum) for rrset in answer.authority if rrset.rdtype == SOA]
    return _Told(servers=frozenset(), alias="".join(aliases[:1]), remembered=max(negative, default=0))


def _undelegated(
    zone: Name, wanted: frozenset[str], parent: Name, wrong: Mapping[Name, _Told], *, late: bool
) -> DelegationError:
    domain, above, between = _text(zone), _text(parent), _text(zone.parent())
    server, told = next(iter(wrong.items()))
    problem = f"The zone above {domain} in the DNS is {above}, and it {told.text}, as {_text(server)} says."
    of_registry = len(parent) == 2  # one label and the root
    if late:
        remedy = f"Other name servers of {above} name the right ones already: wait until all of them do."
    elif of_registry and zone.parent() == parent:
        servers = "\n".join(sorted(wanted))
        remedy = f"Where {domain} is registered, make these its name servers, and no others:\n\n{servers}\n"
    else:
        entered = f", in place of what is there for {domain}" if told.servers or told.alias else ""
        remedy = f"Enter this NS record in the zone {between if of_registry else above}{entered}:\n\n"
        remedy += f"{records(domain, wanted)}\n"
    if zone.parent() != parent:
        problem += f" No zone is in between: if {between} is meant to be one, it is not delegated itself."
    if told.remembered:
        remedy += f"\nWho has asked before may go on hearing that it is not there for {told.remembered} s."
    return DelegationError(problem, remedy=remedy, undelegated=above)


def _served(answers: Mapping[Name, Answer], zone: Name) -> None:
    """Refuse a lame delegation: at least one of the zone's own servers has to have it."""
    if not any(_has(answer, zone) for answer in answers.values()):
        reasons = "; ".join(f"{_text(server)}: {_reason(answer)}" for server, answer in sorted(answers.items()))
        raise DelegationError(
            f"{_text(zone)} is delegated, but none of its name servers has the zone ({reasons}).",
            remedy="If the hosted zone was deleted, run `pulumi refresh`, which finds out.",
            unknown=all(isinstance(answer, str) for answer in answers.values()),
        )


def _has(answer: Answer, zone: Name) -> bool:
    if isinstance(answer, str) or not answer.flags & dns.flags.AA:
        return False
    return any(rrset.name == zone and rrset.rdtype == SOA for rrset in answer.answer)


def _validated(
    world: Dns, zone: Name, parent: Name, above: Mapping[Name, str | None], own: Mapping[Name, str | None]
) -> None:
    """Refuse a DS record in the parent zone that is of no key of the zone: whoever validates rejects every answer."""
    ds = _found(world.ask(above, zone, DS), zone, DS)
    if ds is None:
        return
    import dns.dnssec  # only where it is needed: cryptography, which it loads, takes a good part of a second

    keys = _found(world.ask(own, zone, DNSKEY), zone, DNSKEY)
    for expected in ds:
        for key in keys or ():
            # A digest that cannot be computed here says nothing; another of the records may.
            with contextlib.suppress(dns.exception.UnsupportedAlgorithm, dns.exception.DeniedByPolicy):
                if dns.dnssec.make_ds(zone, key, expected.digest_type, validating=True) == expected:
                    return
    domain, found = _text(zone), "signed with other keys" if keys else "not signed"
    raise DelegationError(
        f"{_text(parent)} has a DS record for {domain}, and the zone is {found}: whoever validates by DNSSEC, as ACM "
        "does, rejects all of its answers.",
        remedy=f"Remove the DS record for {domain} from {_text(parent)} (at a registrar, turn DNSSEC off for it), or "
        "sign the hosted zone and enter its own.",
    )


def _certifiable(world: Dns, host: Name) -> None:
    """Refuse a CAA record that keeps Amazon from certifying the host: the nearest one counts (RFC 8659)."""
    name = host
    while name != dns.name.root:
        found = world.resolve(name, CAA)
        if found is not None:
            issuers = [each.value.partition(b";")[0].strip() for each in found if each.tag.lower() == b"issue"]
            if issuers and not set(issuers) & set(AMAZON):
                raise DelegationError(
                    f"The CAA record of {_text(name)} lets only others certify {_text(host)}, so ACM cannot: "
                    + ", ".join(each.to_text() for each in found),
                    remedy=f'Add a CAA record to {_text(name)}: 0 issue "amazon.com". '
                    f"Who has asked before may remember the old one for {found.ttl} s.",
                )
            return
        name = name.parent()


def _found(answers: Mapping[Name, Answer], name: Name, kind: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    for answer in answers.values():
        for rrset in () if isinstance(answer, str) else answer.answer:
            if rrset.name == name and rrset.rdtype == kind:
                return rrset
    return None


def _lost(problem: str) -> DelegationError:
    remedy = (
        "Look that up where the Internet's name servers can be reached, or set delegation.resolver to the address of a "
        "resolver that finds it."
    )
    return DelegationError(problem, remedy=remedy, unknown=True)


def _reason(answer: Answer) -> str:
    return answer if isinstance(answer, str) else f"it answers {dns.rcode.to_text(answer.rcode())} without authority"


def _plain(names: Iterable[str]) -> frozenset[str]:
    return frozenset(each.rstrip(".").lower() for each in names)


def _text(name: Name) -> str:
    return name.to_text(omit_final_dot=True)
