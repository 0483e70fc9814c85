"""What there is in AWS, in the cluster and in the registry, asked of each through its own API."""

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

REPOSITORY = "contraslash/ejemplo-django"
"""The image's, by default (Pulumi.yaml)."""

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

KINDS = "deployments,replicasets,services,secrets,configmaps,poddisruptionbudgets,serviceaccounts"
"""What the program declares or could: not pods, which come and go with their ReplicaSets."""


def client(service: str) -> Any:
    """A client of an AWS service; every service is the sandbox's."""
    environment = aws_environment()
    return boto3.client(
        service,
        region_name=addresses.REGION,
        endpoint_url=addresses.AWS_ENDPOINT,
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def aws() -> dict[str, list[str]]:
    """Everything in AWS that a deployment makes, or AWS's own controller for it.

    Not the zone above, which the sandbox has from the beginning; but what is in it.
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
    """What the driver eks makes in AWS, by id or name, without what AWS has of its own and what is on its way out."""
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
    """Every object of KINDS in the cluster, with what tells it from a successor and from a changed self."""
    return {
        f"{each['kind']} {each['metadata']['namespace']}/{each['metadata']['name']}": (
            each["metadata"]["uid"],
            each["metadata"].get("generation"),
        )
        for each in stack.objects(KINDS, "--all-namespaces")["items"]
    }


def registry(layout: Layout, path: str, *, password: str | None) -> Answer:
    """Ask the registry's API, with or without a login."""
    host, _, port = addresses.REGISTRY.partition(":")
    headers = {"Accept": MANIFEST}
    if password is not None:
        login = base64.b64encode(f"{logins.REGISTRY_USER}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {login}"
    with closing(connect(host, int(port), addresses.NODE_ADDRESS, trusting(layout.ca))) as connection:
        return ask(connection, path, headers=headers)


def password(layout: Layout) -> str:
    """The registry's password."""
    return (layout.secrets / "registry-password").read_text()


def images(stack: Stack) -> dict[str, str]:
    """The digest in the registry by tag."""
    login = password(stack.layout)
    catalog = json.loads(registry(stack.layout, "/v2/_catalog", password=login).body)["repositories"]
    digests = {}
    for repository in catalog:
        tags = json.loads(registry(stack.layout, f"/v2/{repository}/tags/list", password=login).body)["tags"]
        for tag in tags or ():
            manifest = registry(stack.layout, f"/v2/{repository}/manifests/{tag}", password=login)
            digests[f"{repository}:{tag}"] = manifest.headers["Docker-Content-Digest"]
    return digests
