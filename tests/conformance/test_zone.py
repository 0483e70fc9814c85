"""The zone, the certificate and the records as the AWS plugin creates them, on an emulated AWS."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import moto.settings
import pytest
import requests

from tests.aws_server import aws_server
from tests.conformance import stack as stacks
from tests.conformance.stack import Stack
from tests.example import KUBECONFIG
from tests.troubles import provoked

_PROGRAM = """
import pulumi
from infra import config, providers
from infra.alias import Alias
from infra.balancer_kind import BalancerKind
from infra.certificate import Certificate
from infra.zone import Zone

settings = config.load()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
zone = Zone("zone", domain=settings.domain, settings=settings.zone, protect=settings.protect, opts=in_aws)
Certificate("web", hosts=settings.hosts, zone_id=zone.id, opts=in_aws)
Alias("web", zone_id=zone.id, hosts=settings.hosts, target="192.0.2.1", kind=BalancerKind.NONE, opts=in_aws)
pulumi.export("zone", zone.id)
"""
DOMAIN = "dev.example.com"
"""The zone's domain, and its only host unless a test sets others."""


@dataclass(frozen=True, slots=True)
class World:
    """A stack with a zone, its records and a certificate; and the account."""

    stack: Stack
    route53: Any

    def set(self, key: str, value: str) -> None:
        """Set a key of the stack."""
        self.stack.run("config", "set", "--path", key, value)

    def make(self, **more: Any) -> str:
        """Create a zone of the same name as somebody else would; return its id."""
        made = self.route53.create_hosted_zone(Name=DOMAIN, CallerReference=f"{len(self.zones())}{more}", **more)
        return _id(made["HostedZone"])

    def zones(self) -> list[str]:
        """Return the ids of the public zones."""
        found = self.route53.list_hosted_zones()["HostedZones"]
        return [_id(each) for each in found if not each["Config"]["PrivateZone"]]

    def records(self) -> dict[str, str]:
        """Return the types of the records in the only zone by name, without NS and SOA."""
        [zone] = self.zones()
        found = self.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return {each["Name"]: each["Type"] for each in found if each["Type"] not in ("NS", "SOA")}

    def zone(self) -> str:
        """Return the id of the stack's zone."""
        return self.stack.run("stack", "output", "zone").strip()

    def planned(self) -> dict[str, str]:
        """Return the operations that an `up` would perform, by name; without those that change nothing."""
        steps = self.stack.preview()["steps"]
        return {each["urn"].rpartition("::")[2]: each["op"] for each in steps if each["op"] != "same"}


def deleted_records(said: str) -> set[str]:
    """Return the names of the records that an `up --json` changed, deleted or replaced."""
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    steps = [each["resOutputsEvent"]["metadata"] for each in events if "resOutputsEvent" in each]
    records = [each for each in steps if each["type"] == "aws:route53/record:Record"]
    return {each["urn"].rpartition("::")[2] for each in records if each["op"] not in ("same", "create")}


def _id(zone: dict[str, Any]) -> str:
    return str(zone["Id"]).rpartition("/")[2]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Create a stack that is not deployed, in an empty account."""
    # By default moto issues a certificate after a minute.
    monkeypatch.setattr(moto.settings, "ACM_VALIDATION_WAIT", 0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with aws_server() as endpoint:
        stack = stacks.project(tmp_path, endpoint=endpoint, program=_PROGRAM)
        (stack.folder / "kubeconfig").write_text(KUBECONFIG)
        stack.configure(driver="existing", name=DOMAIN, kubeconfigFile="kubeconfig")
        made = World(stack, boto3.client("route53", region_name="us-east-1", endpoint_url=endpoint))
        made.set("protect", "false")
        made.set("hosts[0]", DOMAIN)
        yield made
        requests.post(f"{endpoint}/moto-api/reset", timeout=10)


def test_a_second_zone_of_the_name_is_refused_by_key_before_anything_is_made(world: World) -> None:
    vpc = {"VPCRegion": "us-east-1", "VPCId": "vpc-0a1b2c3d"}
    world.make(VPC=vpc, HostedZoneConfig={"PrivateZone": True})
    assert world.planned()["zone-zone"] == "create", "a private zone is in nobody's way"
    theirs = world.make(HostedZoneConfig={"Comment": "of the web team"})
    for command in (("preview",), ("up", "--yes")):
        said = world.stack.run(*command, code=1)
        assert f"zone.existing: found a public hosted zone {DOMAIN} in this account: {theirs} (of the web team)" in said
        provoked("zone.existing: found a public hosted zone", said)
        assert "Traceback" not in said
    assert world.zones() == [theirs]


def test_a_zone_that_is_there_is_used_and_stays(world: World) -> None:
    theirs = world.make()
    world.set("zone.existing", "true")
    world.stack.up()
    assert world.zone() == theirs
    assert world.records()[f"{DOMAIN}."] == "A"
    world.stack.up("--expect-no-changes")
    world.stack.run("destroy", "--yes", "--skip-preview")
    assert (world.zones(), world.records()) == ([theirs], {})


def test_a_zone_that_a_stack_no_longer_uses_is_in_the_way_of_one_of_its_own(world: World) -> None:
    theirs = world.make()
    world.set("zone.existing", "true")
    world.stack.up()
    world.set("zone.existing", "false")
    for command in (("preview",), ("up", "--yes")):
        assert f"zone.existing: found a public hosted zone {DOMAIN}" in world.stack.run(*command, code=1)
    assert world.zones() == [theirs]


def test_of_two_zones_that_are_there_the_id_says_which(world: World) -> None:
    ids = [world.make(), world.make()]
    world.set("zone.existing", "true")
    assert "zone.existing: found" in world.stack.run("preview", code=1)
    world.set("zone.id", ids[1])
    world.stack.up()
    assert world.zone() == ids[1]
    other = _id(world.route53.create_hosted_zone(Name="example.org", CallerReference="other")["HostedZone"])
    world.set("zone.id", other)
    said = world.stack.run("preview", code=1)
    assert "zone.id: found the public zone example.org" in said
    assert "Traceback" not in said


def test_a_stack_lets_go_of_a_zone_that_is_no_longer_to_be_its_own(world: World) -> None:
    world.stack.up()
    ours = world.zone()
    world.set("zone.existing", "true")
    world.stack.up()
    world.stack.run("destroy", "--yes", "--skip-preview")
    assert world.zones() == [ours]


def test_whose_a_zone_is_is_told_by_its_comment_and_a_stack_without_its_state_makes_no_second_one(
    world: World,
) -> None:
    world.stack.up()
    ours = world.zone()
    comment = world.route53.get_hosted_zone(Id=ours)["HostedZone"]["Config"]["Comment"]
    assert comment == "ejemplo-django/dev"
    world.route53.update_hosted_zone_comment(Id=ours, Comment="Managed by Pulumi")
    world.stack.run("refresh", "--yes", "--skip-preview")
    assert world.planned() == {"zone-zone": "update"}
    world.stack.up()
    world.stack.run("stack", "rm", "--yes", "--force", "--preserve-config")
    world.stack.run("stack", "init", "dev")
    assert world.planned()["zone-zone"] == "create", "the list of what is to be imported comes from a preview"
    assert "docs/state.md" in world.stack.up(code=1)
    assert world.zones() == [ours]


def test_hosts_come_go_and_change_places_without_touching_anothers_records(world: World) -> None:
    world.stack.up()
    # Rename the records as in the state of a stack from before there were several hosts.
    for kind, name in (("Certificate", "proof"), ("Alias", "record")):
        urn = f"urn:pulumi:dev::ejemplo-django::ejemplo-django:infra:{kind}$aws:route53/record:Record::web-{name}"
        world.stack.run("state", "rename", f"{urn}-{DOMAIN}", f"web-{name}", "--yes")
    assert world.planned() == {}
    world.stack.up()
    before = world.records()
    www = f"www.{DOMAIN}"
    for hosts, gone in (
        ([www, DOMAIN], set()),
        ([DOMAIN, www], set()),
        ([DOMAIN], {f"web-proof-{www}", f"web-record-{www}"}),
    ):
        world.stack.run("config", "rm", "hosts")
        for number, host in enumerate(hosts):
            world.set(f"hosts[{number}]", host)
        said = world.stack.up("--json")
        assert deleted_records(said) == gone
    assert world.records() == before
