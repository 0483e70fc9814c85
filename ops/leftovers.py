"""What is looked for, and where: a function for each kind of thing that a stack can leave behind."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.access import client
from infra.settings.aws import Aws
from ops import aws
from ops.errors import OpsError
from ops.traces import Traces

SERVICE = "ejemplo-django-service"
"""The Service for which AWS's controller makes a balancer, which it tags with the Service's name."""
_CURVES = ("prime256v1", "secp384r1", "secp521r1")


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
    found = aws.every(of.aws, "elb", "describe_load_balancers", "LoadBalancerDescriptions")
    names = [each["LoadBalancerName"] for each in found]
    tags = _tags_of(of, "elb", "LoadBalancerName", "LoadBalancerNames", names)
    for name in names:
        if name in of.balancers or _ours(of, tags.get(name, {})):
            command = aws.command(of.aws, "elb", "delete-load-balancer", "--load-balancer-name", name)
            yield Left(what=f"classic balancer {name}", remove=command)


def elbs_v2(of: Traces) -> Iterator[Left]:
    """Network and application balancers, of other controllers."""
    found = aws.every(of.aws, "elbv2", "describe_load_balancers", "LoadBalancers")
    names = {each["LoadBalancerArn"]: each["LoadBalancerName"] for each in found}
    tags = _tags_of(of, "elbv2", "ResourceArn", "ResourceArns", list(names))
    for arn, name in names.items():
        if name in of.balancers or _ours(of, tags.get(arn, {})):
            command = aws.command(of.aws, "elbv2", "delete-load-balancer", "--load-balancer-arn", arn)
            yield Left(what=f"balancer {name}", remove=command)


def security_groups(of: Traces) -> Iterator[Left]:
    """The security groups of balancers."""
    for each in aws.every(of.aws, "ec2", "describe_security_groups", "SecurityGroups"):
        tags = _tags(each.get("Tags", []))
        # AWS's controller gives the group the Service's name in its description, and no tag with it.
        for_service = each["Description"].endswith(f"({of.namespace}/{SERVICE})")
        tagged = f"kubernetes.io/cluster/{of.cluster}" in tags and (of.owns_cluster or for_service)
        if tagged or each["GroupName"] in {f"k8s-elb-{name}" for name in of.balancers}:
            command = aws.command(of.aws, "ec2", "delete-security-group", "--group-id", each["GroupId"])
            yield Left(what=f"security group {each['GroupId']} ({each['GroupName']})", remove=command)


def volumes(of: Traces) -> Iterator[Left]:
    """Volumes that were made for claims in the cluster."""
    tagged = [{"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{of.cluster}"]}]
    for each in aws.every(of.aws, "ec2", "describe_volumes", "Volumes", Filters=tagged):
        if _ours(of, _tags(each["Tags"])):
            command = aws.command(of.aws, "ec2", "delete-volume", "--volume-id", each["VolumeId"])
            yield Left(what=f"volume {each['VolumeId']} of {each['Size']} GiB", remove=command)


def zones(of: Traces) -> Iterator[Left]:
    """The hosted zone with the records in it, and the NS record for it in a zone above.

    Whoever gets the name servers of a record that stays would next answer for the domain.
    """
    for each in aws.every(of.aws, "route53", "list_hosted_zones", "HostedZones"):
        id, name = each["Id"].removeprefix("/hostedzone/"), each["Name"]
        is_it = name == f"{of.domain}." and not each["Config"].get("PrivateZone")
        if not is_it and not f"{of.domain}.".endswith(f".{name}"):
            continue
        for record in aws.records(of.aws, id):
            at_top = record["Name"] == f"{of.domain}." and record["Type"] in ("NS", "SOA")
            # Every zone has these two at its top, and they go with it; in a zone above, the one is the delegation.
            if is_it and not at_top:
                what = f"record {record['Name']} {record['Type']} in the hosted zone {id}"
            elif not is_it and at_top:
                what = (
                    f"record {record['Name']} NS in the zone {name} ({id}), which sends the world to the deleted zone"
                )
            else:
                continue
            yield Left(what=what, remove=_delete_record(of.aws, id, record))
        if is_it:
            command = aws.command(of.aws, "route53", "delete-hosted-zone", "--id", id)
            yield Left(what=f"hosted zone {of.domain} ({id})", remove=command)


def certificates(of: Traces) -> Iterator[Left]:
    """The certificate for the host."""
    # Without being asked for the others, ACM lists those with RSA keys of 2048 bits alone.
    kinds = {"keyTypes": ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096"] + [f"EC_{each}" for each in _CURVES]}
    found = aws.every(of.aws, "acm", "list_certificates", "CertificateSummaryList", Includes=kinds)
    for each in found:
        arn = each["CertificateArn"]
        if arn not in of.certificates and (each["DomainName"] != of.host or not _tagged(of, arn)):
            continue
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
        # A thousand at a time, the most that S3 deletes; of more, the command is to be typed again.
        listing = f"list-object-versions --bucket {of.bucket} --max-items 1000 --output json --query".split()
        query = "'{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}}'"
        listed = aws.command(of.aws, "s3api", *listing, query)
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


def _tags_of(of: Traces, service: str, key: str, argument: str, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """The tags of balancers by their names, or whatever the service calls them by."""
    with aws.doing(f"{service}:describe_tags"):
        balancers = aws.client(service, of.aws)
        found = [
            each
            for start in range(0, len(names), 20)  # the most that AWS takes
            for each in balancers.describe_tags(**{argument: names[start : start + 20]})["TagDescriptions"]
        ]
    return {each[key]: _tags(each["Tags"]) for each in found}


def _tagged(of: Traces, certificate: str) -> bool:
    """Whether a certificate has the stack's tags: the same host may have another, of somebody else."""
    with aws.doing("acm:list_tags_for_certificate"):
        tags = aws.client("acm", of.aws).list_tags_for_certificate(CertificateArn=certificate)["Tags"]
    return of.aws.tags.items() <= _tags(tags).items()


def _delete_record(settings: Aws, zone: str, record: Mapping[str, Any]) -> str:
    batch = json.dumps({"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]})
    to = ("change-resource-record-sets", "--hosted-zone-id", zone, "--change-batch", f"'{batch}'")
    return aws.command(settings, "route53", *to)


def _tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {each["Key"]: each.get("Value", "") for each in tags}


LOOKS = (elbs, elbs_v2, security_groups, volumes, zones, certificates, bucket, objects)
"""All of them, in the order in which what they find is best removed. Each raises OpsError when it cannot look."""
