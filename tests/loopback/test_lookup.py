"""The check that the DNS leads to a zone: each fault has its own message, with what to do about it."""

import copy
import time
from collections.abc import Sequence

import dns.dnssec
import dns.name
import dns.rrset
import pytest

from infra import lookup
from infra.lookup import DelegationError
from tests.loopback.name_servers import RESOLVER, Server, serving
from tests.troubles import provoked

DOMAIN, PARENT, HOST = "dev.example.com", "example.com", "www.dev.example.com"
OURS = ["ns-1.awsdns-00.test", "ns-2.awsdns-00.test"]
ABOVE, SECOND, OWN, ELSEWHERE, NOBODY = (f"127.0.53.{n}" for n in range(2, 7))
KEY = "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="


def soa(zone: str) -> str:
    """Return a zone's SOA record; its TTL lets resolvers cache a missing name for 900 seconds."""
    return f"{zone}. 900 SOA ns.{zone}. root.{zone}. 1 7200 900 1209600 86400"


def delegation(servers: list[str]) -> list[str]:
    """Return the NS record in the parent zone."""
    return [f"{DOMAIN}. 300 NS {each}." for each in servers]


def world(told: Sequence[str] = delegation(OURS)) -> dict[str, Server]:
    """Return servers by address: a resolver, two of the parent zone, and one of the zone.

    `told` are the parent zone's records below its apex; by default they are correct.
    """
    above = Server(zones=(PARENT,), records=[soa(PARENT), *told])
    found = [
        soa(PARENT),
        f"{PARENT}. 300 NS ns1.{PARENT}.",
        f"{PARENT}. 300 NS ns2.{PARENT}.",
        f"ns1.{PARENT}. 300 A {ABOVE}",
        f"ns2.{PARENT}. 300 A {SECOND}",
        *(f"{each}. 300 A {OWN}" for each in OURS),
    ]
    return {
        RESOLVER: Server(recursive=True, records=found),
        ABOVE: above,
        SECOND: copy.deepcopy(above),
        OWN: Server(zones=(DOMAIN,), records=[soa(DOMAIN)]),
    }


def verify(servers: dict[str, Server], *, certified: Sequence[str] = (HOST,)) -> str:
    """Check the delegation on the servers."""
    with serving(servers) as port:
        return lookup.verify(DOMAIN, OURS, certified=certified, resolver=RESOLVER, port=port)


def refusal(servers: dict[str, Server], *, certified: Sequence[str] = (HOST,)) -> DelegationError:
    """Return why the delegation on the servers is refused."""
    with pytest.raises(DelegationError) as refused:
        verify(servers, certified=certified)
    return refused.value


def beneath_com(resolved: str) -> dict[str, Server]:
    """Return servers where com has no record of the zone or its parent; `resolved` is the name of com's name server."""
    servers = world()
    servers[RESOLVER].records = [soa("com"), f"com. 300 NS {resolved}.", f"{resolved}. 300 A {ABOVE}"]
    servers[ABOVE] = Server(zones=("com",), records=[soa("com")])
    return servers


def test_a_zone_that_its_parent_names_is_found() -> None:
    assert verify(world()) == PARENT


def test_a_parent_on_the_servers_of_the_zone_itself_answers_for_it_as_well() -> None:
    servers = world([soa(DOMAIN), *delegation(OURS)])
    servers[ABOVE].zones = servers[SECOND].zones = (PARENT, DOMAIN)
    assert verify(servers) == PARENT


def test_a_parent_that_does_not_name_it_is_told_with_the_record_to_enter() -> None:
    refused = refusal(world(told=[]))
    provoked("…, and it has no NS record", refused.problem)
    for server in OURS:
        assert f"{DOMAIN}. 300 IN NS {server}." in refused.remedy
    assert f"in the zone {PARENT}" in refused.remedy
    assert "900 s" in refused.remedy


@pytest.mark.parametrize("others", [["ns-9.awsdns-01.test"], OURS[:1], [*OURS, "ns-9.awsdns-01.test"]])
def test_a_parent_that_names_other_servers_is_told_with_both(others: list[str]) -> None:
    refused = refusal(world(delegation(others)))
    assert f"it names {', '.join(sorted(others))}," in refused.problem
    assert "in place of what is there" in refused.remedy


def test_a_cname_in_place_of_the_record_is_told() -> None:
    refused = refusal(world([f"{DOMAIN}. 300 CNAME old.example.net."]))
    assert "CNAME to old.example.net" in refused.problem


def test_a_parent_whose_servers_do_not_agree_is_to_be_waited_for() -> None:
    servers = world()
    servers[SECOND].records = [soa(PARENT)]
    refused = refusal(servers)
    assert "as ns2.example.com says" in refused.problem
    assert "wait" in refused.remedy


def test_one_silent_server_of_the_parent_is_no_fault() -> None:
    servers = world()
    servers[RESOLVER].records.append(f"{PARENT}. 300 NS ns3.{PARENT}.")  # without an address
    assert verify(servers) == PARENT


def test_a_zone_between_that_is_not_there_is_told() -> None:
    refused = refusal(beneath_com("ns1.example.com"))
    assert "is com, and it has no NS record" in refused.problem
    assert "if example.com is meant to be one, it is not delegated itself" in refused.problem
    assert "in the zone example.com" in refused.remedy


def test_a_registered_domain_is_to_be_given_its_servers_at_the_registrar() -> None:
    with serving(beneath_com("ns1.example.net")) as port, pytest.raises(DelegationError) as refused:
        lookup.verify(PARENT, OURS, resolver=RESOLVER, port=port)
    assert "Where example.com is registered" in refused.value.remedy
    assert all(each in refused.value.remedy for each in OURS)


def test_servers_that_do_not_have_the_zone_are_told() -> None:
    servers = world()
    servers[OWN].zones = ()
    refused = refusal(servers)
    provoked("none of its name servers has the zone", refused.problem)
    assert "REFUSED" in refused.problem


@pytest.mark.parametrize("signed", [False, True])
def test_a_ds_record_of_no_key_of_the_zone_is_told(signed: bool) -> None:
    servers = world([*delegation(OURS), f"{DOMAIN}. 300 DS 60485 13 2 {'0f' * 32}"])
    if signed:
        servers[OWN].records.append(f"{DOMAIN}. 300 DNSKEY {KEY}")
    refused = refusal(servers)
    if signed:
        assert "signed with other keys" in refused.problem
    else:
        provoked("has a DS record for …, and the zone is not signed", refused.problem)
    assert f"Remove the DS record for {DOMAIN} from {PARENT}" in refused.remedy


def test_a_ds_record_of_the_zones_key_is_no_fault() -> None:
    key = dns.rrset.from_text(DOMAIN, 300, "IN", "DNSKEY", KEY)
    ds = dns.dnssec.make_ds(dns.name.from_text(DOMAIN), key[0], "SHA256")
    servers = world([*delegation(OURS), f"{DOMAIN}. 300 DS {ds}"])
    servers[OWN].records.append(f"{DOMAIN}. 300 DNSKEY {KEY}")
    assert verify(servers) == PARENT


@pytest.mark.parametrize("caa", ['0 issue "letsencrypt.org"', '0 issue ";"'])
def test_a_caa_record_against_acm_is_told(caa: str) -> None:
    servers = world()
    servers[RESOLVER].records.append(f"{PARENT}. 300 CAA {caa}")
    refused = refusal(servers)
    provoked("The CAA record of … lets only others certify", refused.problem)
    assert f"CAA record of {PARENT}" in refused.problem
    assert f"certify {HOST}" in refused.problem
    assert '0 issue "amazon.com"' in refused.remedy
    # Each certified host is checked.
    servers[RESOLVER].records.pop()
    servers[OWN].records.append(f"shop.{DOMAIN}. 300 CAA {caa}")
    assert verify(servers) == PARENT
    assert f"certify shop.{DOMAIN}" in refusal(servers, certified=(HOST, f"shop.{DOMAIN}")).problem
    # If the certificate comes from elsewhere, CAA records do not matter.
    assert verify(servers, certified=()) == PARENT


@pytest.mark.parametrize(
    "caa",
    [
        [f'{PARENT}. 300 CAA 0 issue "amazontrust.com; x=y"', f'{PARENT}. 300 CAA 0 issue "letsencrypt.org"'],
        [f'{PARENT}. 300 CAA 0 iodef "mailto:root@example.com"'],
        # The record nearest to the host counts.
        [f'{PARENT}. 300 CAA 0 issue "letsencrypt.org"', f'{DOMAIN}. 300 CAA 0 issue "amazon.com"'],
    ],
)
def test_a_caa_record_that_lets_acm_is_no_fault(caa: list[str]) -> None:
    servers = world()
    for each in caa:
        servers[OWN if each.startswith(DOMAIN) else RESOLVER].records.append(each)
    assert verify(servers) == PARENT


def test_no_resolver_is_asked_for_a_host_before_it_exists() -> None:
    servers = world()
    verify(servers)
    asked = {dns.name.from_text(HOST), dns.name.from_text(DOMAIN)}
    assert asked <= set(servers[OWN].asked)
    assert not asked & set(servers[RESOLVER].asked)


def test_where_no_server_of_the_parent_answers_the_resolvers_word_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "SECONDS", 4.0)
    servers = world()
    del servers[ABOVE], servers[SECOND]
    refused = refusal(servers)
    assert refused.unknown
    provoked("No name server of …, the zone above …, answers here", refused.problem)
    assert "delegation.resolver" in refused.remedy
    servers[RESOLVER].records += delegation(OURS)
    assert verify(servers) == PARENT


def test_a_resolver_that_does_not_answer_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "SECONDS", 1.0)
    servers = world()
    del servers[RESOLVER]
    began = time.monotonic()
    refused = refusal(servers)
    assert time.monotonic() - began < 5
    assert refused.unknown
    assert RESOLVER in refused.problem
