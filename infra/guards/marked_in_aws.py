"""Resources in AWS that carry a stack's mark: how to find one whose id the state does not have.

The mark is part of the call that creates a resource (infra/ownership.py), so it tells a stack's resource from
everything else in the account.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from infra import ownership

Inputs = Mapping[str, Any]
"""A resource's inputs, as the provider has checked them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What to look for, and how to ask AWS."""

    stack: str
    """The stack, as `<project>/<stack>`."""
    domain: str
    """The stack's domain."""
    name: str
    """The resource's logical name."""
    type: str
    inputs: Inputs
    client: Callable[[str], Any]
    """Returns a client of a service, such as `ec2`."""

    def marked(self, tags: object) -> bool:
        """Return whether these tags carry the mark of this resource; takes every form in which AWS returns tags."""
        return flat(tags).items() >= self.mark.items()

    @property
    def mark(self) -> dict[str, str]:
        """The tags of the resource that say whose it is."""
        return ownership.mark(stack=self.stack, domain=self.domain, name=self.name)

    def may_be(self, name: str) -> bool:
        """Return whether the resource may have this name in AWS: its own, or one that Pulumi generates."""
        return name == self.inputs.get("name") or name.startswith(f"{self.name}-")


def flat(tags: object) -> dict[str, str]:
    """Return tags by key, from any form in which AWS returns them; empty if there are none."""
    if isinstance(tags, list):
        return {each.get("Key", each.get("TagKey")): each.get("Value", each.get("TagValue")) for each in tags}
    return dict(tags) if isinstance(tags, Mapping) else {}


Look = Callable[[Search], Iterable[str]]
"""Returns the ids, as the provider imports them, of the resources that match."""


def find(search: Search) -> list[str]:
    """Return the ids of the resources that match; none for a type that is not in `TYPES`.

    Raise PermissionError if the login lacks a right, and ClientError or BotoCoreError if AWS does not answer.
    """
    from botocore.exceptions import ClientError

    found: list[str] = []
    try:
        with _unless_gone():
            found.extend(TYPES[search.type](search) if search.type in TYPES else ())
    except ClientError as error:
        if error.response["Error"]["Code"] in _DENIED:
            raise PermissionError(str(error)) from error
        raise
    return found


@contextmanager
def _unless_gone() -> Iterator[None]:
    """End the block quietly if AWS does not find what it asks for, such as an entry of a list that was just deleted."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _NOT_FOUND and not code.endswith("NotFound"):
            raise


_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_NOT_FOUND = (
    "NoSuchEntity",
    "NoSuchHostedZone",
    "NoSuchTagSet",
    "NotFoundException",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
)


def _in_ec2(search: Search) -> Iterable[str]:
    """Find by tags: EC2's resources have no names."""
    operation, listed, id_ = _IN_EC2[search.type]
    filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in search.mark.items()]
    parameter = "Filter" if listed == "NatGateways" else "Filters"
    for each in getattr(search.client("ec2"), operation)(**{parameter: filters})[listed]:
        # A deleted NAT gateway stays visible for an hour.
        if each.get("State") not in ("deleting", "deleted", "failed"):
            yield each[id_]


_IN_EC2 = {
    "aws:ec2/eip:Eip": ("describe_addresses", "Addresses", "AllocationId"),
    "aws:ec2/internetGateway:InternetGateway": (
        "describe_internet_gateways",
        "InternetGateways",
        "InternetGatewayId",
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateId"),
    "aws:ec2/natGateway:NatGateway": ("describe_nat_gateways", "NatGateways", "NatGatewayId"),
    "aws:ec2/routeTable:RouteTable": ("describe_route_tables", "RouteTables", "RouteTableId"),
    "aws:ec2/subnet:Subnet": ("describe_subnets", "Subnets", "SubnetId"),
    "aws:ec2/vpc:Vpc": ("describe_vpcs", "Vpcs", "VpcId"),
}
"""The operation that lists each type, where its answer has the list, and where an entry has the id."""


def _route(search: Search) -> Iterable[str]:
    table, to = search.inputs["routeTableId"], search.inputs["destinationCidrBlock"]
    [found] = search.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    if to in (each.get("DestinationCidrBlock") for each in found["Routes"]):
        yield f"{table}_{to}"


def _association(search: Search) -> Iterable[str]:
    table, subnet = search.inputs["routeTableId"], search.inputs["subnetId"]
    [found] = search.client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
    if subnet in (each.get("SubnetId") for each in found["Associations"]):
        yield f"{subnet}/{table}"


def _certificate(search: Search) -> Iterable[str]:
    acm = search.client("acm")
    for page in acm.get_paginator("list_certificates").paginate():
        for each in page["CertificateSummaryList"]:
            arn = each["CertificateArn"]
            # The provider takes one that timed out for deleted.
            usable = each.get("Status") not in ("FAILED", "VALIDATION_TIMED_OUT")
            if usable and each["DomainName"] == search.inputs["domainName"]:
                with _unless_gone():
                    if search.marked(acm.list_tags_for_certificate(CertificateArn=arn).get("Tags")):
                        yield arn


def _key(search: Search) -> Iterable[str]:
    kms = search.client("kms")
    for page in kms.get_paginator("list_keys").paginate():
        for each in page["Keys"]:
            try:
                tags = kms.list_resource_tags(KeyId=each["KeyId"]).get("Tags")
            except kms.exceptions.ClientError as error:
                if error.response["Error"]["Code"] == "AccessDeniedException":  # each key has a policy of its own
                    continue
                raise
            about = kms.describe_key(KeyId=each["KeyId"])["KeyMetadata"] if search.marked(tags) else {}
            if about and about["KeyState"] != "PendingDeletion":
                yield each["KeyId"]


def _alias(search: Search) -> Iterable[str]:
    name, key = search.inputs["name"], search.inputs["targetKeyId"]
    for page in search.client("kms").get_paginator("list_aliases").paginate():
        for each in page["Aliases"]:
            if each["AliasName"] == name and each.get("TargetKeyId") == key:
                yield name


def _zone(search: Search) -> Iterable[str]:
    """Find by the comment: a zone gets its tags in a second call."""
    name = search.inputs["name"]
    for each in search.client("route53").list_hosted_zones_by_name(DNSName=name)["HostedZones"]:
        if each["Name"] == f"{name}." and each["Config"].get("Comment") == search.stack:
            yield each["Id"].rpartition("/")[2]


def _record(search: Search) -> Iterable[str]:
    """Find by content: a record cannot carry a mark, and an equal one is as good as the stack's own."""
    wanted = search.inputs
    zone, name, kind = wanted["zoneId"], wanted["name"], wanted["type"]
    route53 = search.client("route53")
    records = route53.list_resource_record_sets(HostedZoneId=zone, StartRecordName=name, StartRecordType=kind)
    for each in records["ResourceRecordSets"][:1]:
        targets = {value["Value"] for value in each.get("ResourceRecords", ())}
        alias = each.get("AliasTarget", {}).get("DNSName", "").rstrip(".")
        same = targets == set(wanted.get("records") or ()) and alias == _alias_of(wanted)
        if (each["Name"].rstrip("."), each["Type"]) == (name.rstrip("."), kind) and same:
            yield f"{zone}_{name}_{kind}"


def _alias_of(wanted: Inputs) -> str:
    return str(wanted["aliases"][0]["name"]).lower().rstrip(".") if wanted.get("aliases") else ""


def _bucket(search: Search) -> Iterable[str]:
    s3, bucket = search.client("s3"), search.inputs["bucket"]
    try:
        s3.head_bucket(Bucket=bucket)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ("403", "404"):  # another account's, or none
            return
        raise
    if search.marked(s3.get_bucket_tagging(Bucket=bucket)["TagSet"]):
        yield bucket


def _role(search: Search) -> Iterable[str]:
    iam = search.client("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for each in page["Roles"]:
            name = each["RoleName"]
            with _unless_gone():
                if search.may_be(name) and search.marked(iam.list_role_tags(RoleName=name)["Tags"]):
                    yield name


def _repository(search: Search) -> Iterable[str]:
    ecr, name = search.client("ecr"), search.inputs["name"]
    [found] = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    if search.marked(ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]):
        yield name


def _log_group(search: Search) -> Iterable[str]:
    logs, name = search.client("logs"), search.inputs["name"]
    for each in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]:
        arn = each["arn"].removesuffix(":*")
        if each["logGroupName"] == name and search.marked(logs.list_tags_for_resource(resourceArn=arn)["tags"]):
            yield name


def _cluster(search: Search) -> Iterable[str]:
    name = search.inputs["name"]
    if search.marked(search.client("eks").describe_cluster(name=name)["cluster"].get("tags")):
        yield name


def _node_group(search: Search) -> Iterable[str]:
    eks, cluster = search.client("eks"), search.inputs["clusterName"]
    for page in eks.get_paginator("list_nodegroups").paginate(clusterName=cluster):
        for name in page["nodegroups"]:
            with _unless_gone():
                found = eks.describe_nodegroup(clusterName=cluster, nodegroupName=name)["nodegroup"]
                if search.marked(found.get("tags")) and found["status"] != "DELETING":
                    yield f"{cluster}:{name}"


def _addon(search: Search) -> Iterable[str]:
    place = {"clusterName": search.inputs["clusterName"], "addonName": search.inputs["addonName"]}
    if search.marked(search.client("eks").describe_addon(**place)["addon"].get("tags")):
        yield ":".join(place.values())


def _access_entry(search: Search) -> Iterable[str]:
    place = {"clusterName": search.inputs["clusterName"], "principalArn": search.inputs["principalArn"]}
    if search.marked(search.client("eks").describe_access_entry(**place)["accessEntry"].get("tags")):
        yield ":".join(place.values())


TYPES: Mapping[str, Look] = {
    **dict.fromkeys(_IN_EC2, _in_ec2),
    "aws:acm/certificate:Certificate": _certificate,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ec2/route:Route": _route,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _association,
    "aws:ecr/repository:Repository": _repository,
    "aws:eks/accessEntry:AccessEntry": _access_entry,
    "aws:eks/addon:Addon": _addon,
    "aws:eks/cluster:Cluster": _cluster,
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:iam/role:Role": _role,
    "aws:kms/alias:Alias": _alias,
    "aws:kms/key:Key": _key,
    "aws:route53/record:Record": _record,
    "aws:route53/zone:Zone": _zone,
    "aws:s3/bucket:Bucket": _bucket,
}
"""How to find a resource, by its type. A second creation of any other type changes nothing."""
