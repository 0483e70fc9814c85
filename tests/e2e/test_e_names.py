"""A zone without a delegation: `up` ends at once with the record to enter, and goes on once it is entered."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import dns.resolver
import pytest

from sandbox import addresses
from tests.e2e import cloud
from tests.e2e.session import Times
from tests.e2e.site import Site, resolver
from tests.e2e.stack import Change, Stack, edited
from tests.e2e.waiting import eventually

DOMAIN = f"names.{addresses.PARENT_ZONE}"
HOST = f"ejemplo-django.{DOMAIN}"
ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer"
SECONDS = 30
"""Within which an `up` without a delegation ends."""


@pytest.fixture(scope="module")
def undelegated(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Create a stack whose zone has no delegation, in its own namespace; destroy it at the end."""
    other = stack.beside(tmp_path_factory.mktemp("names") / "program", name="names")
    edited(
        other.folder / "Pulumi.names.yaml",
        {
            "local.example.test": DOMAIN,
            f"    parentZone: {addresses.PARENT_ZONE}\n": "",
            "stack: local": "stack: names",
        },
    )
    try:
        other.pulumi("stack", "init", "--no-select")
        other.pulumi("config", "set", "--path", "namespace.name", "names")
        yield other
    finally:
        other.change("destroy", check=False)
        other.pulumi("stack", "rm", "--yes", "--force", check=False)
        if told():
            enter("DELETE", told())


def parent() -> str:
    """Return the ID of the parent zone."""
    zones = cloud.client("route53").list_hosted_zones()["HostedZones"]
    [found] = [each["Id"] for each in zones if each["CallerReference"] == addresses.WORLD]
    return str(found)


def told() -> list[str]:
    """Return the name servers in the parent zone's NS record, if there is one."""
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=parent())["ResourceRecordSets"]
    found = [each["ResourceRecords"] for each in records if (each["Name"], each["Type"]) == (f"{DOMAIN}.", "NS")]
    return sorted(value["Value"] for values in found for value in values)


def enter(action: str, servers: list[str]) -> None:
    """Change the NS record in the parent zone, as that zone's owner would."""
    record = {
        "Name": DOMAIN,
        "Type": "NS",
        "TTL": 300,
        "ResourceRecords": [{"Value": each} for each in servers],
    }
    changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
    cloud.client("route53").change_resource_record_sets(HostedZoneId=parent(), ChangeBatch=changes)


@pytest.fixture(scope="module")
def first(undelegated: Stack) -> Change:
    """Run the first `up`, without a delegation."""
    return undelegated.change("up", check=False)


def test_without_a_delegation_up_ends_in_time(first: Change, times: Times) -> None:
    assert first.done.code != 0
    times.hold("an `up` without a delegation", first.done.seconds, limit=SECONDS)
    assert "Traceback" not in first.messages


def test_the_error_has_the_record_to_enter_the_zone_and_what_to_run_next(first: Change, undelegated: Stack) -> None:
    servers = undelegated.outputs()["nameServers"]
    assert len(servers) == 4
    for each in servers:
        assert f"{DOMAIN}. 300 IN NS {each}." in first.messages
    assert f"in the zone {addresses.PARENT_ZONE}" in first.messages
    assert "`pulumi up --refresh`" in first.messages


def test_the_zone_is_there_and_nothing_waited_for_the_world(first: Change, undelegated: Stack) -> None:
    zone = undelegated.outputs()["zoneId"]
    found = cloud.client("route53").get_hosted_zone(Id=zone)
    assert sorted(found["DelegationSet"]["NameServers"]) == undelegated.outputs()["nameServers"]
    kinds = {each.partition(" ")[0] for each in undelegated.resources()}
    assert "aws:route53/zone:Zone" in kinds
    assert "aws:acm/certificateValidation:CertificateValidation" not in kinds
    assert "kubernetes:core/v1:Service" not in kinds


def test_the_world_does_not_see_a_zone_that_is_not_delegated(first: Change) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver().resolve(DOMAIN, "SOA")


def test_a_delegation_to_another_zone_of_the_same_name_is_told(first: Change, undelegated: Stack) -> None:
    route53 = cloud.client("route53")
    other = route53.create_hosted_zone(Name=DOMAIN, CallerReference="another")
    theirs = sorted(other["DelegationSet"]["NameServers"])
    try:
        enter("CREATE", theirs)
        up = undelegated.change("up", check=False)
        # The resolver follows the parent zone.
        seen = sorted(str(each).rstrip(".") for each in resolver().resolve(DOMAIN, "NS"))
    finally:
        enter("DELETE", theirs)
        route53.delete_hosted_zone(Id=other["HostedZone"]["Id"])
    assert seen == theirs
    assert up.done.code != 0
    for each in (*theirs, *undelegated.outputs()["nameServers"]):
        assert each in up.messages


def test_once_it_is_entered_up_goes_on_to_the_site(first: Change, undelegated: Stack) -> None:
    zone = undelegated.outputs()["zoneId"]
    enter("CREATE", undelegated.outputs()["nameServers"])
    undelegated.change("up")
    assert undelegated.outputs()["zoneId"] == zone
    assert eventually(Site(host=HOST, ca=undelegated.layout.ca).page).status == 200
    assert undelegated.plan("--expect-no-changes").steps == []


def _names_both(site: Site) -> None:
    with closing(site.connect()) as connection:
        assert isinstance(connection.sock, ssl.SSLSocket)
        certificate = connection.sock.getpeercert() or {}
    assert set(certificate["subjectAltName"]) == {("DNS", HOST), ("DNS", DOMAIN)}


def test_another_host_is_served_by_one_certificate_and_the_first_keeps_its_records(undelegated: Stack) -> None:
    for number, host in enumerate((HOST, DOMAIN)):
        undelegated.pulumi("config", "set", "--path", f"hosts[{number}]", host)
    operations = undelegated.change("up").operations
    records = {label: how for label, how in operations.items() if label.startswith("aws:route53/record:Record ")}
    assert records == {f"aws:route53/record:Record web-{kind}-{DOMAIN}": "create" for kind in ("proof", "record")}
    sites = [Site(host=host, ca=undelegated.layout.ca) for host in (HOST, DOMAIN)]
    for site in sites:
        # The load balancer's controller passes the new certificate on after the `up`.
        eventually(partial(_names_both, site))
        assert eventually(site.page).status == 200
    assert undelegated.outputs()["url"] == f"https://{HOST}/"


def test_a_delegation_that_went_is_found_by_refresh_and_told_by_the_next_up(undelegated: Stack) -> None:
    servers = told()
    enter("DELETE", servers)
    try:
        refreshed = undelegated.change("refresh")
        up = undelegated.change("up", check=False)
    finally:
        enter("CREATE", servers)
    gone = "pulumi-python:dynamic/ejemplo-django:DelegationSeen zone-seen"
    assert refreshed.operations == {gone: "delete"}
    assert up.done.code != 0
    assert servers[0] in up.messages
    assert undelegated.change("up").operations == {gone: "create"}


@pytest.fixture
def certificate(undelegated: Stack) -> Iterator[str]:
    """Request and validate a certificate for all hosts of the zone, as somebody else; delete it at the end."""
    acm, route53, zone = cloud.client("acm"), cloud.client("route53"), undelegated.outputs()["zoneId"]
    names = {"DomainName": f"*.{DOMAIN}", "SubjectAlternativeNames": [DOMAIN]}
    arn = acm.request_certificate(**names, ValidationMethod="DNS")["CertificateArn"]
    # The same record validates both.
    [option, _] = acm.describe_certificate(CertificateArn=arn)["Certificate"]["DomainValidationOptions"]
    proof = option["ResourceRecord"]
    record = {
        "Name": proof["Name"],
        "Type": proof["Type"],
        "TTL": 60,
        "ResourceRecords": [{"Value": proof["Value"]}],
    }
    route53.change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    )

    def issued() -> None:
        assert acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"] == "ISSUED"

    eventually(issued)
    yield arn
    undelegated.pulumi("config", "rm", "certificateArn")
    undelegated.change("up")
    acm.delete_certificate(CertificateArn=arn)


def test_a_certificate_by_its_arn_takes_the_place_of_the_one_that_was_requested(
    undelegated: Stack, certificate: str
) -> None:
    undelegated.pulumi("config", "set", "certificateArn", certificate)
    change = undelegated.change("up")
    deleted = {name.partition(" ")[0] for name, how in change.steps if how == "delete"}
    assert deleted == {
        "aws:acm/certificate:Certificate",
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:route53/record:Record",
    }
    assert undelegated.outputs()["certificateArn"] == certificate
    service = undelegated.objects("service/ejemplo-django-service", "--namespace=names")
    assert service["metadata"]["annotations"][f"{ANNOTATION}-ssl-cert"] == certificate
    assert eventually(Site(host=HOST, ca=undelegated.layout.ca).page).status == 200


def test_a_certificate_for_another_host_is_refused_by_its_key(undelegated: Stack, outputs: dict[str, Any]) -> None:
    try:
        undelegated.pulumi("config", "set", "certificateArn", outputs["certificateArn"])
        refused = undelegated.pulumi("preview", check=False)
    finally:
        undelegated.pulumi("config", "rm", "certificateArn")
    assert refused.code != 0
    assert "certificateArn: found a certificate for ejemplo-django.local.example.test" in refused.said
    assert "Traceback" not in refused.said


def test_a_parent_zone_that_nobody_has_is_refused_by_its_key(undelegated: Stack) -> None:
    file = undelegated.folder / "Pulumi.names.yaml"
    before = file.read_text()
    try:
        edited(file, {"    resolver:": "    parentZone: Z0NOBODY\n    resolver:"})
        refused = undelegated.pulumi("preview", check=False)
    finally:
        file.write_text(before)
    assert refused.code != 0
    assert "delegation.parentZone: found 'Z0NOBODY'" in refused.said
    assert "Traceback" not in refused.said


def test_a_parent_zone_of_ours_gets_the_record_and_loses_it_at_the_end(undelegated: Stack) -> None:
    servers = told()
    enter("DELETE", servers)
    undelegated.pulumi("config", "set", "--path", "delegation.parentZone", addresses.PARENT_ZONE)
    change = undelegated.change("up")
    assert change.operations["aws:route53/record:Record zone-record"] == "create"
    assert told() == servers
    undelegated.change("destroy")
    assert told() == []
