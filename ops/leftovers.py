"""What is looked for, and where: a function for each kind of thing that a stack can leave behind."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from infra.cluster.access import client
from infra.config import Aws
from ops import aws
from ops.errors import OpsError
from ops.traces import Traces

SERVICE = "ejemplo-django-service"
"""The Service for which AWS's controller makes a balancer, which it tags with the Service's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Something of the stack that is still there."""

    what: str
    """What it is and what it is called."""
    remove: str
    """The command that removes it."""


def _ours(of: Traces, tags: Mapping[str, str]) -> bool:
    """Whether tags say that a thing was made for the stack by a controller of its cluster."""
    if f"kubernetes.io/cluster/{of.cluster}" not in tags:
        return False
    volume = "kubernetes.io/created-for/pvc"
    return (
        of.owns_cluster
        or tags.get("kubernetes.io/service-name") == f"{of.namespace}/{SERVICE}"
        or (
            tags.get(f"{volume}/namespace") == of.namespace
            and tags.get(f"{volume}/name", "").startswith("ejemplo-django")
        )
    )


def elbs(of: Traces) -> Iterator[Left]:
    """Classic balancers, which AWS's controller makes for Services of the cluster."""
    with aws.doing("Looking for classic balancers"):
        elb = aws.client("elb", of.aws)
        pages = elb.get_paginator("describe_load_balancers").paginate()
        names = [each["LoadBalancerName"] for page in pages for each in page["LoadBalancerDescriptions"]]
        tags: dict[str, dict[str, str]] = {}
        for start in range(0, len(names), 20):  # the most that AWS takes
            some = elb.describe_tags(LoadBalancerNames=names[start : start + 20])["TagDescriptions"]
            tags |= {each["LoadBalancerName"]: _tags(each["Tags"]) for each in some}
    for name in names:
        if name in of.balancers or _ours(of, tags.get(name, {})):
            command = aws.command(of.aws, "elb", "delete-load-balancer", "--load-balancer-name", name)
            yield Left(what=f"classic balancer {name}", remove=command)


def elbs_v2(of: Traces) -> Iterator[Left]:
    """Network and application balancers, of other controllers."""
    with aws.doing("Looking for network and application balancers"):
        elb = aws.client("elbv2", of.aws)
        pages = elb.get_paginator("describe_load_balancers").paginate()
        found = {each["LoadBalancerArn"]: each["LoadBalancerName"] for page in pages for each in page["LoadBalancers"]}
        arns = list(found)
        tags: dict[str, dict[str, str]] = {}
        for start in range(0, len(arns), 20):  # the most that AWS takes
            some = elb.describe_tags(ResourceArns=arns[start : start + 20])["TagDescriptions"]
            tags |= {each["ResourceArn"]: _tags(each["Tags"]) for each in some}
    for arn, name in found.items():
        if name in of.balancers or _ours(of, tags.get(arn, {})):
            command = aws.command(of.aws, "elbv2", "delete-load-balancer", "--load-balancer-arn", arn)
            yield Left(what=f"balancer {name}", remove=command)


def security_groups(of: Traces) -> Iterator[Left]:
    """The security groups of balancers."""
    with aws.doing("Looking for security groups"):
        pages = aws.client("ec2", of.aws).get_paginator("describe_security_groups").paginate()
        groups = [each for page in pages for each in page["SecurityGroups"]]
    for each in groups:
        tags = _tags(each.get("Tags", []))
        # AWS's controller gives the group the Service's name in its description, and no tag with it.
        for_service = each["Description"].endswith(f"({of.namespace}/{SERVICE})")
        tagged = f"kubernetes.io/cluster/{of.cluster}" in tags and (of.owns_cluster or for_service)
        if tagged or each["GroupName"] in {f"k8s-elb-{name}" for name in of.balancers}:
            command = aws.command(of.aws, "ec2", "delete-security-group", "--group-id", each["GroupId"])
            yield Left(what=f"security group {each['GroupId']} ({each['GroupName']})", remove=command)


def volumes(of: Traces) -> Iterator[Left]:
    """Volumes that were made for claims in the cluster."""
    with aws.doing("Looking for volumes"):
        tagged = [{"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{of.cluster}"]}]
        pages = aws.client("ec2", of.aws).get_paginator("describe_volumes").paginate(Filters=tagged)
        volumes = [each for page in pages for each in page["Volumes"]]
    for each in volumes:
        if _ours(of, _tags(each["Tags"])):
            command = aws.command(of.aws, "ec2", "delete-volume", "--volume-id", each["VolumeId"])
            yield Left(what=f"volume {each['VolumeId']} of {each['Size']} GiB", remove=command)


def zones(of: Traces) -> Iterator[Left]:
    """The hosted zone, and the records in it."""
    with aws.doing(f"Looking for the hosted zone {of.domain}"):
        route53 = aws.client("route53", of.aws)
        pages = route53.get_paginator("list_hosted_zones").paginate()
        ids = [
            each["Id"].removeprefix("/hostedzone/")
            for page in pages
            for each in page["HostedZones"]
            if each["Name"] == f"{of.domain}." and not each["Config"].get("PrivateZone")
        ]
        records = {id: list(_records(route53, id)) for id in ids}
    for id in ids:
        for record in records[id]:
            # Every zone has these two at its top; they go with it.
            if record["Name"] == f"{of.domain}." and record["Type"] in ("NS", "SOA"):
                continue
            what = f"record {record['Name']} {record['Type']} in the hosted zone {id}"
            yield Left(what=what, remove=_delete_record(of.aws, id, record))
        command = aws.command(of.aws, "route53", "delete-hosted-zone", "--id", id)
        yield Left(what=f"hosted zone {of.domain} ({id})", remove=command)


def delegation(of: Traces) -> Iterator[Left]:
    """An NS record for the domain in a zone above it: whoever gets these name servers next answers for the domain."""
    with aws.doing(f"Looking for the delegation of {of.domain}"):
        route53 = aws.client("route53", of.aws)
        pages = route53.get_paginator("list_hosted_zones").paginate()
        above = [
            (each["Id"].removeprefix("/hostedzone/"), each["Name"])
            for page in pages
            for each in page["HostedZones"]
            if f"{of.domain}.".endswith(f".{each['Name']}")
        ]
        found = [
            (id, zone, record)
            for id, zone in above
            for record in _records(route53, id)
            if record["Name"] == f"{of.domain}." and record["Type"] == "NS"
        ]
    for id, zone, record in found:
        what = f"record {record['Name']} NS in the zone {zone} ({id}), which sends the world to the deleted zone"
        yield Left(what=what, remove=_delete_record(of.aws, id, record))


def certificates(of: Traces) -> Iterator[Left]:
    """The certificate for the host."""
    with aws.doing("Looking for certificates"):
        acm = aws.client("acm", of.aws)
        found = [
            each
            for page in acm.get_paginator("list_certificates").paginate()
            for each in page["CertificateSummaryList"]
        ]
        tags = {
            each["CertificateArn"]: _tags(acm.list_tags_for_certificate(CertificateArn=each["CertificateArn"])["Tags"])
            for each in found
            if each["DomainName"] == of.host
        }
    for each in found:
        arn = each["CertificateArn"]
        # The same host may have another certificate, of somebody else: the stack's own has the stack's tags.
        ours = arn in tags and of.aws.tags.items() <= tags[arn].items()
        if arn in of.certificates or ours:
            command = aws.command(of.aws, "acm", "delete-certificate", "--certificate-arn", arn)
            yield Left(what=f"certificate for {each['DomainName']} ({arn})", remove=command)


def bucket(of: Traces) -> Iterator[Left]:
    """The state bucket."""
    s3 = aws.client("s3", of.aws)
    try:
        with aws.doing(f"Looking for the bucket {of.bucket}"):
            s3.head_bucket(Bucket=of.bucket)
            page = s3.list_object_versions(Bucket=of.bucket, MaxKeys=1)
    except aws.RefusedError as error:
        if error.code in ("404", "NoSuchBucket"):
            return
        raise
    delete = aws.command(of.aws, "s3api", "delete-bucket", "--bucket", of.bucket)
    if page.get("Versions") or page.get("DeleteMarkers"):
        listed = aws.command(
            of.aws,
            *(
                "s3api",
                "list-object-versions",
                "--bucket",
                of.bucket,
                "--max-items",
                "1000",
                "--output",
                "json",
            ),
            *("--query", "'{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}}'"),
        )
        empty = aws.command(of.aws, "s3api", "delete-objects", "--bucket", of.bucket, "--delete", f'"$({listed})"')
        delete = f"{empty} && {delete}"
    yield Left(what=f"bucket {of.bucket}", remove=delete)


def objects(of: Traces) -> Iterator[Left]:
    """The program's objects in the cluster."""
    if of.kubeconfig is None:
        return
    try:
        cluster = client.connect(of.kubeconfig)
        for token in sorted({each.token for each in of.objects}):
            kind = cluster.kind(token)
            for item in cluster.get(f"{client.root(kind.version)}/namespaces/{of.namespace}/{kind.plural}")["items"]:
                name = item["metadata"]["name"]
                if any(each.token == token and each.named(name) for each in of.objects):
                    yield Left(
                        what=f"{kind.kind} {of.namespace}/{name} in the cluster {of.cluster}",
                        remove=f"kubectl delete {kind.plural} {name} --namespace {of.namespace}",
                    )
    except client.ClientError as error:
        raise OpsError(str(error)) from error


def _records(route53: Any, zone: str) -> Iterator[dict[str, Any]]:
    for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone):
        yield from page["ResourceRecordSets"]


def _delete_record(settings: Aws, zone: str, record: Mapping[str, Any]) -> str:
    batch = json.dumps({"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]})
    to = ("change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", f"'{batch}'")
    return aws.command(settings, "route53", *to)


def _tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in tags}


LOOKS = (elbs, elbs_v2, security_groups, volumes, zones, delegation, certificates, bucket, objects)
"""All of them, in the order in which what they find is best removed. Each raises OpsError when it cannot look."""
