"""Query AWS, the cluster and the registry, each through its own API."""

import base64
import json
from contextlib import closing
from typing import Any

import boto3

from sandbox import addresses, logins
from sandbox.layout import Layout
from sandbox.logins import aws_environment
from tests.e2e.site import Answer, ask, connect, trusting
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually

REPOSITORY = "contraslash/ejemplo-django"
"""The image's repository by default (Pulumi.yaml)."""

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

KINDS = "deployments,replicasets,services,secrets,configmaps,poddisruptionbudgets,serviceaccounts"
"""The kinds of objects that a deployment makes or could make; not pods, which come and go with their ReplicaSets."""


def client(service: str) -> Any:
    """Return a client of an AWS service in the sandbox."""
    environment = aws_environment()
    return boto3.client(
        service,
        region_name=addresses.REGION,
        endpoint_url=addresses.AWS_ENDPOINT,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def aws() -> dict[str, list[str]]:
    """Return everything in AWS that a deployment or AWS's own controller creates, by kind.

    The parent zone itself is left out, since the sandbox creates it at its start; the records in it are included.
    """
    route53, ec2 = client("route53"), client("ec2")
    found = route53.list_hosted_zones()["HostedZones"]
    zones = {zone["Id"]: zone["Name"] for zone in found if zone["CallerReference"] != addresses.WORLD}
    records = [
        f"{record['Name']} {record['Type']} {record.get('ResourceRecords') or record.get('AliasTarget')}"
        for zone in found
        for record in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
        if record["Name"].rstrip(".") != addresses.PARENT_ZONE
    ]
    certificates = client("acm").list_certificates()["CertificateSummaryList"]
    balancers = client("elb").describe_load_balancers()["LoadBalancerDescriptions"]
    there = {
        "hosted zones": [f"{id} {name}" for id, name in zones.items()],
        "records": records,
        "buckets": [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]],
        "certificates": [certificate["CertificateArn"] for certificate in certificates],
        "balancers": [json.dumps(balancer, default=str, sort_keys=True) for balancer in balancers],
        "security groups": [
            json.dumps(group, sort_keys=True) for group in ec2.describe_security_groups()["SecurityGroups"]
        ],
        "network interfaces": [
            each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
    }
    return {what: sorted(some) for what, some in there.items()}


def of_a_cluster() -> dict[str, list[str]]:
    """Return what the driver eks creates in AWS, by ID or name, without AWS's own aliases and what is being deleted."""
    ec2, kms = client("ec2"), client("kms")
    keys = [kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"] for each in kms.list_keys()["Keys"]]
    found = {
        "VPCs": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"]],
        "subnets": [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]],
        "route tables": [each["RouteTableId"] for each in ec2.describe_route_tables()["RouteTables"]],
        "gateways": [each["InternetGatewayId"] for each in ec2.describe_internet_gateways()["InternetGateways"]],
        "NAT gateways": [
            each["NatGatewayId"]
            for each in ec2.describe_nat_gateways()["NatGateways"]
            if each["State"] not in ("deleting", "deleted")
        ],
        "addresses": [each["AllocationId"] for each in ec2.describe_addresses()["Addresses"]],
        "security groups": [each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]],
        "launch templates": [each["LaunchTemplateId"] for each in ec2.describe_launch_templates()["LaunchTemplates"]],
        "roles": [each["RoleName"] for each in client("iam").list_roles()["Roles"]],
        "keys": [each["KeyId"] for each in keys if each["KeyState"] != "PendingDeletion"],
        "aliases": [
            each["AliasName"]
            for each in kms.list_aliases()["Aliases"]
            if not each["AliasName"].startswith("alias/aws/")
        ],
        "log groups": [each["logGroupName"] for each in client("logs").describe_log_groups()["logGroups"]],
        "clusters": client("eks").list_clusters()["clusters"],
    }
    return {what: sorted(some) for what, some in found.items()}


def cluster(stack: Stack) -> dict[str, tuple[str, int | None]]:
    """Return every object of KINDS by name; its UID tells a replacement, its generation an edit."""
    return {
        f"{each['kind']} {each['metadata']['namespace']}/{each['metadata']['name']}": (
            each["metadata"]["uid"],
            each["metadata"].get("generation"),
        )
        for each in stack.objects(KINDS, "--all-namespaces")["items"]
    }


def everything(stack: Stack) -> set[str]:
    """Return what is in AWS and in the cluster as a set of lines, so that two such sets can be compared."""
    in_aws = {f"{what} {each}" for what, some in aws().items() for each in some}
    return in_aws | {f"{name} {itself}" for name, itself in cluster(stack).items()}


def settled(stack: Stack) -> set[str]:
    """Wait until nothing is being created or deleted any more, and return `everything`."""

    def look() -> set[str]:
        _settled_balancers()
        _settled_objects(stack)
        return everything(stack)

    return eventually(look)


def _settled_balancers() -> None:
    """Assert that each load balancer has its network interface from the data plane, and no deleted one has one."""
    balancers = [
        *client("elb").describe_load_balancers()["LoadBalancerDescriptions"],
        *client("elbv2").describe_load_balancers()["LoadBalancers"],
    ]
    interfaces = client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    of_balancers = {each["Description"] for each in interfaces if each["Description"].startswith("ELB ")}
    assert of_balancers == {f"ELB {each['DNSName']}" for each in balancers}


def _settled_objects(stack: Stack) -> None:
    """Assert that no object is being deleted, waits for garbage collection, or has a change that no controller saw."""
    objects = stack.objects(f"namespaces,{KINDS}", "--all-namespaces")["items"]
    uids = {each["metadata"]["uid"] for each in objects}
    for each in objects:
        about = each["metadata"]
        assert "deletionTimestamp" not in about
        assert uids >= {owner["uid"] for owner in about.get("ownerReferences", ())}
        assert each.get("status", {}).get("observedGeneration", about.get("generation")) == about.get("generation")


def registry(layout: Layout, path: str, *, password: str | None) -> Answer:
    """Send a request to the registry's API, with or without a login."""
    host, _, port = addresses.REGISTRY.partition(":")
    headers = {"Accept": MANIFEST}
    if password is not None:
        login = base64.b64encode(f"{logins.REGISTRY_USER}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    with closing(connect(host, int(port), addresses.NODE_ADDRESS, trusting(layout.ca))) as connection:
        return ask(connection, path, headers=headers)


def password(layout: Layout) -> str:
    """Return the registry's password."""
    return (layout.secrets / "registry-password").read_text()


def images(stack: Stack) -> dict[str, str]:
    """Return the digest of each tag in the registry."""
    login = password(stack.layout)
    catalog = json.loads(registry(stack.layout, "/v2/_catalog", password=login).body)["repositories"]
    digests = {}
    for repository in catalog:
        tags = json.loads(registry(stack.layout, f"/v2/{repository}/tags/list", password=login).body)["tags"]
        for tag in tags or ():
            manifest = registry(stack.layout, f"/v2/{repository}/manifests/{tag}", password=login)
            digests[f"{repository}:{tag}"] = manifest.headers["Docker-Content-Digest"]
    return digests
