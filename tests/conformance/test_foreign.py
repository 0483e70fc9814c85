"""What somebody else created under the program's names: the preview refuses it, and it stays unchanged."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from infra.ownership import NAME, OWNER
from tests.conformance import api_server, stack as stacks
from tests.conformance.api_server import ApiServer
from tests.conformance.stack import BUCKET, Stack
from tests.kops.world import ACCESS, moto

_PROGRAM = f"""
import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from infra import config, providers
from infra.alias import Alias
from infra.balancer_kind import BalancerKind
from infra.delegation import Delegation
from infra.registry import RegistrySecret
from infra.zone import Zone

settings = config.load()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
zone = Zone("zone", domain=settings.domain, settings=settings.zone, protect=False, opts=in_aws)
# Not the StateBucket: moto takes its policy, which is against plain http, for one against everybody.
aws.s3.Bucket("state", bucket="{BUCKET}", opts=in_aws)
if settings.delegation.parent_zone:
    Delegation(
        "zone", settings=settings.delegated, zone_id=zone.id, name_servers=zone.name_servers, opts=in_aws
    )
Alias("web", zone_id=zone.id, hosts=settings.hosts, target="192.0.2.1", kind=BalancerKind.NONE, opts=in_aws)
kubeconfig = open("kubeconfig").read()
in_cluster = providers.in_cluster(
    kubeconfig=kubeconfig, identifier="cluster", needs=settings.needs, domain=settings.domain
)
RegistrySecret("regcred", registry=settings.registry, opts=in_cluster)
kubernetes.core.v1.Service(
    "web-service",
    metadata={{
        "name": "site-service",
        "annotations": {{
            "pulumi.com/skipAwait": "true",  # for its endpoints, which nobody here makes
            "pulumi.com/patchForce": "true",
            "kind": "one",
        }},
    }},
    spec={{"selector": {{"app": "site"}}, "ports": [{{"port": 443}}]}},
    opts=pulumi.ResourceOptions.merge(in_cluster, pulumi.ResourceOptions(
        replace_on_changes=['metadata.annotations["kind"]'], delete_before_replace=True
    )),
)
"""
OURS = "ejemplo-django/dev"
SECRETS, SERVICES = "/api/v1/namespaces/default/secrets", "/api/v1/namespaces/default/services"
HOST = "site.dev.example.com"
ELB_ZONE = "Z35SXDOTRQ7X7K"
"""The zone of every classic balancer in us-east-1 (https://docs.aws.amazon.com/general/latest/gr/elb.html)."""


@dataclass(frozen=True, slots=True)
class World:
    """A stack that is not deployed, an empty account, and a cluster with only a node."""

    stack: Stack
    api: ApiServer
    route53: Any
    s3: Any

    def make_service(self, **annotations: str) -> str:
        """Create the Service as somebody else would; return its UID."""
        metadata = {"name": "site-service", "annotations": annotations}
        self.api.post(SERVICES, {"metadata": metadata, "spec": {"ports": [{"port": 443}]}})
        return self.service()

    def service(self) -> str:
        """Return the UID of the existing Service."""
        found = self.api.get(f"{SERVICES}/site-service")
        assert found is not None
        return str(found["metadata"]["uid"])

    def make_zone(self, name: str, comment: str = "") -> str:
        """Create a zone with that comment; return its id."""
        config = {"Comment": comment, "PrivateZone": False}
        made = self.route53.create_hosted_zone(Name=name, CallerReference=name, HostedZoneConfig=config)["HostedZone"]
        return str(made["Id"]).rpartition("/")[2]

    def make_record(self, zone: str, name: str, kind: str, *values: str, action: str = "CREATE") -> None:
        """Create a record, or change it with the action UPSERT."""
        record = {"Name": name, "Type": kind, "TTL": 300, "ResourceRecords": [{"Value": each} for each in values]}
        changes = {"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    def records(self, zone: str, name: str) -> list[list[str]]:
        """Return the values of the records with that name."""
        found = self.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        return [[each["Value"] for each in one["ResourceRecords"]] for one in found if one["Name"] == f"{name}."]

    def edit(self, old: str, new: str) -> None:
        """Change the program."""
        file = self.stack.folder / "__main__.py"
        file.write_text(file.read_text().replace(old, new))

    def servers(self, zone: str) -> list[str]:
        """Return the zone's name servers."""
        return list(self.route53.get_hosted_zone(Id=zone)["DelegationSet"]["NameServers"])

    def set(self, key: str, value: str) -> None:
        """Set a key of the stack."""
        self.stack.run("config", "set", "--path", key, value)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server.running(tmp_path_factory.mktemp("cluster") / "api") as made:
        made.join("node", machine="aws:///us-east-1a/i-1")
        yield made


@pytest.fixture
def world(api: ApiServer, tmp_path: Path) -> Iterator[World]:
    with moto() as endpoint, pytest.MonkeyPatch.context() as patch:
        for name, value in ACCESS.items():
            patch.setenv(name, value)
        clients = [boto3.client(each, region_name="us-east-1", endpoint_url=endpoint) for each in ("route53", "s3")]
        stack = stacks.project(tmp_path, endpoint=endpoint, program=_PROGRAM, variables=ACCESS)
        (stack.folder / "kubeconfig").write_text(api.kubeconfig())
        stack.configure(driver="existing", name="cluster", kubeconfigFile="kubeconfig")
        yield World(stack, api, *clients)
        for path in (f"{SECRETS}/regcred", f"{SERVICES}/site-service"):
            if api.get(path):
                api.delete(path)
        requests.post(f"{endpoint}/moto-api/reset", timeout=10)


def refused(world: World, key: str, *words: str) -> None:
    """Assert that a preview and an `up` refuse it, and name the key."""
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        said = world.stack.run(*command, code=1)
        assert f"{key}: found " in said, said
        assert [each for each in words if each not in said] == []
        assert "Traceback" not in said


def test_a_bucket_of_somebody_elses_is_refused(world: World) -> None:
    world.s3.create_bucket(Bucket=BUCKET)
    refused(world, "domain", BUCKET)
    world.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": OWNER, "Value": "other/stack"}]})
    refused(world, "domain", BUCKET, "other/stack")
    assert len(world.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]) == 1


def test_a_pull_secret_made_by_hand_is_refused(world: World) -> None:
    made = {"metadata": {"name": "regcred"}, "data": {"a": base64.b64encode(b"theirs").decode()}}
    world.api.post(SECRETS, made)
    refused(world, "namespace.name", "regcred")
    assert (world.api.get(f"{SECRETS}/regcred") or {})["data"] == made["data"]


def test_a_service_of_another_stack_is_refused(world: World) -> None:
    theirs = world.make_service(**{OWNER: "ejemplo-django/other"})
    refused(world, "app.name", "site-service", "ejemplo-django/other")
    assert world.service() == theirs


def test_a_service_of_the_same_stack_in_another_copy_of_the_project_is_refused(world: World) -> None:
    theirs = world.make_service(**{OWNER: OURS, NAME: "dev.example.org/web-service"})
    refused(world, "app.name", "site-service", "dev.example.org")
    assert world.service() == theirs


def test_an_alias_of_the_host_to_another_balancer_is_refused_before_there_is_a_balancer(world: World) -> None:
    zone = world.make_zone("dev.example.com")
    world.set("zone.existing", "true")
    alias = {
        "HostedZoneId": ELB_ZONE,
        "DNSName": "dualstack.theirs.us-east-1.elb.amazonaws.com",
        "EvaluateTargetHealth": False,
    }
    record = {"Name": HOST, "Type": "A", "AliasTarget": alias}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    world.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    world.edit(
        'target="192.0.2.1", kind=BalancerKind.NONE', "target=state.bucket_domain_name, kind=BalancerKind.CLASSIC"
    )
    world.edit('aws.s3.Bucket("state"', 'state = aws.s3.Bucket("state"')
    said = world.stack.run("preview", code=1)
    assert f"hosts: found a record of {HOST}" in said


def test_a_record_of_the_host_in_a_zone_that_is_there_is_refused(world: World) -> None:
    zone = world.make_zone("dev.example.com")
    world.set("zone.existing", "true")
    world.make_record(zone, HOST, "CNAME", "shop.example.org")
    refused(world, "hosts", HOST, "shop.example.org")
    assert world.records(zone, HOST) == [["shop.example.org"]]


@pytest.fixture
def parent(world: World) -> str:
    """Create the parent zone, which the stack names and no resolver finds; return its id."""
    world.set("delegation.parentZone", "example.com")
    world.set("delegation.resolver", "127.0.0.1")
    return world.make_zone("example.com")


def test_an_ns_record_that_leads_elsewhere_is_refused_and_an_equal_one_taken_over(world: World, parent: str) -> None:
    world.make_record(parent, "dev.example.com", "NS", "ns.example.org")
    refused(world, "delegation.parentZone", "ns.example.org")
    assert world.records(parent, "dev.example.com") == [["ns.example.org"]]
    [zone] = [each["Id"] for each in world.route53.list_hosted_zones()["HostedZones"] if "dev" in each["Name"]]
    world.make_record(parent, "dev.example.com", "NS", *world.servers(zone), action="UPSERT")
    # The `up` fails only because no resolver finds the record.
    assert "already exists" not in world.stack.up(code=1)
    assert "Record zone-record" not in world.stack.plan()


def test_the_ns_record_of_a_stack_whose_state_was_lost_is_its_own(world: World, parent: str) -> None:
    zone = world.make_zone("dev.example.com", OURS)
    world.make_record(parent, "dev.example.com", "NS", *world.servers(zone))
    assert world.stack.plan()["Record zone-record"] == "create"


def test_what_bears_this_stacks_mark_is_refused_by_an_up_alone(world: World) -> None:
    ours = world.make_service(**{OWNER: OURS})
    world.s3.create_bucket(Bucket=BUCKET)
    world.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": OWNER, "Value": OURS}]})
    world.stack.run("preview", "--import-file", "import.json")
    names = {each["name"] for each in json.loads((world.stack.folder / "import.json").read_text())["resources"]}
    assert {"state", "web-service"} <= names
    assert "docs/state.md" in world.stack.up(code=1)
    assert world.service() == ours


def test_what_the_state_has_is_replaced_although_it_bears_no_mark(world: World) -> None:
    world.stack.up()
    before = world.service()
    world.edit('"kind": "one"', '"kind": "two"')
    assert "Service web-service" in world.stack.plan()
    world.stack.up()
    assert world.service() != before
    world.stack.up("--expect-no-changes")


def test_an_app_that_goes_to_a_cluster_where_its_names_are_taken_is_refused(world: World, tmp_path: Path) -> None:
    world.stack.up()
    with api_server.running(tmp_path / "other") as other:
        other.join("node", machine="aws:///us-east-1a/i-2")
        other.post(SERVICES, {"metadata": {"name": "site-service"}, "spec": {"ports": [{"port": 443}]}})
        (world.stack.folder / "kubeconfig").write_text(other.kubeconfig())
        world.edit('identifier="cluster"', 'identifier="other"')
        refused(world, "app.name", "site-service")
