"""Compare what is in AWS, the cluster and the registry with the state."""

import re
from collections.abc import Iterator
from typing import Any

import requests

from tests import docker_servers
from tests.crashes.world import PARENT, World

_KINDS = {
    "Secret": "api/v1",
    "ConfigMap": "api/v1",
    "Service": "api/v1",
    "Deployment": "apis/apps/v1",
    "Job": "apis/batch/v1",
    "CronJob": "apis/batch/v1",
    "PodDisruptionBudget": "apis/policy/v1",
    "Namespace": "api/v1",
}
_THEIRS = re.compile(
    r"\w+ kube-.*|ConfigMap .*/kube-root-ca\.crt|Service default/kubernetes|Namespace (default|kube-.*)"
)
"""The objects that every cluster has."""

_ID = {
    "aws:route53/zone:Zone": "zone",
    "aws:route53/record:Record": "record",
    "aws:acm/certificate:Certificate": "certificate",
    "aws:s3/bucket:Bucket": "bucket",
    "aws:eks/cluster:Cluster": "cluster",
    "aws:eks/nodeGroup:NodeGroup": "group",
    "aws:eks/addon:Addon": "addon",
    "aws:iam/role:Role": "role",
    "aws:ec2/vpc:Vpc": "vpc",
    "aws:ec2/subnet:Subnet": "subnet",
    "aws:ec2/internetGateway:InternetGateway": "igw",
    "aws:ec2/natGateway:NatGateway": "nat",
    "aws:ec2/eip:Eip": "address",
    "aws:ec2/routeTable:RouteTable": "routes",
    "aws:ec2/launchTemplate:LaunchTemplate": "template",
    "aws:kms/key:Key": "key",
    "aws:kms/alias:Alias": "alias",
    "aws:cloudwatch/logGroup:LogGroup": "logs",
}
"""A word for each type whose IDs in the state are those that AWS lists."""


def faults(world: World) -> list[str]:
    """Return what an interruption cost, one fault each; empty if all is as without it."""
    state = world.state()
    resources = [each for each in state.get("resources", ()) if each.get("custom") and not each.get("external")]
    known, there = set(_known(resources)), set(_there(world))
    found = [f"nobody knows of {each}" for each in sorted(there - known)]
    found += [f"there is no {each}" for each in sorted(known - there)]
    found += [
        f"pending: {each['type']} {each['resource']['urn'].rpartition('::')[2]}"
        for each in state.get("pending_operations") or ()
    ]
    if not world.deployed:
        return found + [f"still in the state: {each['urn'].rpartition('::')[2]}" for each in resources]
    found += [f"there is no image {each}" for each in _images(resources) if not _pulls(world, each)]
    code, said = world.run("pulumi", "preview", "--refresh", "--expect-no-changes", "--non-interactive")
    return found + ([f"the preview has changes: {first_error(said)}"] if code else [])


def first_error(said: str) -> str:
    """Return the first line of an error under Diagnostics, or in all of it without that heading; else the last line."""
    found = re.findall(r"error: (?!\w+ failed).+|before hook .+", said.rpartition("\nDiagnostics:")[2])
    return str(next(iter(found), said.strip().rpartition("\n")[2]))[:300]


def _known(resources: list[dict[str, Any]]) -> Iterator[str]:
    for each in resources:
        if each["type"] in _ID:
            # In a record's ID, the name may end with the dot that AWS adds.
            yield f"{_ID[each['type']]} {each['id'].replace('._', '_')}"
        elif each["type"].startswith("kubernetes:"):
            yield f"{each['type'].rpartition(':')[2]} {each['id']}"


def _there(world: World) -> Iterator[str]:
    yield from _in_cluster(world)
    yield from _in_dns(world)
    yield from _in_network(world)
    for each in world.cloud.client("acm").list_certificates()["CertificateSummaryList"]:
        yield f"certificate {each['CertificateArn']}"
    for each in world.cloud.client("s3").list_buckets()["Buckets"]:
        yield f"bucket {each['Name']}"
    for each in world.cloud.client("iam").list_roles()["Roles"]:
        if not each["Path"].startswith("/aws-"):
            yield f"role {each['RoleName']}"
    for each in world.cloud.client("logs").describe_log_groups()["logGroups"]:
        yield f"logs {each['logGroupName']}"
    kms = world.cloud.client("kms")
    for each in kms.list_keys()["Keys"]:
        if kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"]["KeyState"] == "Enabled":
            yield f"key {each['KeyId']}"
    for each in kms.list_aliases()["Aliases"]:
        if not each["AliasName"].startswith("alias/aws/"):
            yield f"alias {each['AliasName']}"
    eks = world.cloud.client("eks")
    for name in eks.list_clusters()["clusters"]:
        yield f"cluster {name}"
        yield from (f"group {name}:{each}" for each in eks.list_nodegroups(clusterName=name)["nodegroups"])
        yield from (f"addon {name}:{each}" for each in eks.list_addons(clusterName=name)["addons"])


def _in_cluster(world: World) -> Iterator[str]:
    for kind, api in _KINDS.items():
        for each in (world.api.get(f"/{api}/{kind.lower()}s") or {})["items"]:
            of = each["metadata"]
            name = f"{kind} {of['namespace']}/{of['name']}" if "namespace" in of else f"{kind} {of['name']}"
            if not of.get("ownerReferences") and not of.get("deletionTimestamp") and not _THEIRS.fullmatch(name):
                yield name


def _in_dns(world: World) -> Iterator[str]:
    route53 = world.cloud.client("route53")
    for zone in route53.list_hosted_zones()["HostedZones"]:
        id_ = zone["Id"].rpartition("/")[2]
        if zone["Name"] != f"{PARENT}.":
            yield f"zone {id_}"
        for each in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            if each["Name"] != zone["Name"] or each["Type"] not in ("NS", "SOA"):
                yield f"record {id_}_{each['Name'].rstrip('.')}_{each['Type']}"


def _in_network(world: World) -> Iterator[str]:
    ec2 = world.cloud.client("ec2")
    for each in ec2.describe_vpcs()["Vpcs"]:
        if not each["IsDefault"]:
            yield f"vpc {each['VpcId']}"
    for each in ec2.describe_subnets()["Subnets"]:
        if not each["DefaultForAz"]:
            yield f"subnet {each['SubnetId']}"
    for each in ec2.describe_internet_gateways()["InternetGateways"]:
        yield f"igw {each['InternetGatewayId']}"
    for each in ec2.describe_nat_gateways()["NatGateways"]:
        if each["State"] != "deleted":
            yield f"nat {each['NatGatewayId']}"
    for each in ec2.describe_addresses()["Addresses"]:
        yield f"address {each['AllocationId']}"
    for each in ec2.describe_route_tables()["RouteTables"]:
        if not any(of.get("Main") for of in each["Associations"]):
            yield f"routes {each['RouteTableId']}"
    for each in ec2.describe_launch_templates()["LaunchTemplates"]:
        yield f"template {each['LaunchTemplateId']}"


def _images(resources: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the images that the Deployment runs."""
    for each in resources:
        if each["type"].endswith(":Deployment"):
            yield each["outputs"]["spec"]["template"]["spec"]["containers"][0]["image"]


def _pulls(world: World, image: str) -> bool:
    repository, _, digest = image.partition("/")[2].partition("@")
    return requests.head(
        f"http://{world.registry}/v2/{repository}/manifests/{digest}",
        headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
        auth=(docker_servers.USER, docker_servers.PASSWORD),
        timeout=10,
    ).ok
