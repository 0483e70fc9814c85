"""Refuse to create what exists in AWS already."""

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import pulumi

from infra import aws_client, hosted_zones, threads
from infra.guards import foreign, marked_in_aws
from infra.guards.foreign import There
from infra.guards.marked_in_aws import Search
from infra.ownership import OWNER, stack_name, whose
from infra.settings.aws import Aws

Inputs = Mapping[str, Any]
"""The inputs of the resource to create; an unknown or secret value is an object of the SDK."""


def refused(in_aws: Aws, *, domain: str) -> pulumi.ResourceTransformation:
    """Refuse a zone, record or bucket that somebody else has; in an `up`, also every resource that the state lost.

    For all other names AWS itself refuses a second resource.
    """
    is_preview = pulumi.runtime.is_dry_run()

    async def look(args: pulumi.ResourceHookArgs) -> There | None:
        inputs = args.new_inputs or {}
        if args.type in _LOOKS:
            return await threads.run(_LOOKS[args.type], in_aws, inputs)
        if is_preview:  # it creates nothing, and mostly does not know yet what the resource depends on
            return None
        return await threads.run(lost, args.name, args.type, inputs)

    @cache
    def connected(service: str) -> Any:
        return aws_client.connect(service, in_aws)

    lock = threading.Lock()  # each client is slow to create, and many resources ask at once

    def connect(service: str) -> Any:
        with lock:
            return connected(service)

    def lost(name: str, type_: str, inputs: Inputs) -> There | None:
        what = f"{type_.rpartition(':')[2]} {name}"
        search = Search(stack=stack_name(), domain=domain, name=name, type=type_, inputs=inputs, client=connect)
        asks = f"Whether an earlier run created {what}"
        with aws_client.asking(asks):
            try:
                ids = marked_in_aws.find(search)
            except PermissionError as error:
                pulumi.log.warn(f"{asks} is not known: {error}. docs/ci.md lists the rights that a deployment needs.")
                return None
        return There(found=f"{what}: found {_listed(ids)}", ids=ids, ours=True, fix="") if ids else None

    return foreign.refused("aws", look, where=lambda args: args.type_ in marked_in_aws.TYPES)


def _zone(in_aws: Aws, wanted: Inputs) -> There | None:
    domain = wanted["name"]
    taken = hosted_zones.public(domain, in_aws)
    if not taken:
        return None
    listed = ", ".join(f"{id_} ({comment or 'without a comment'})" for id_, comment in taken.items())
    return There(
        found=f"zone.existing: found a public hosted zone {domain} in this account: {listed}",
        ids=taken,
        ours=stack_name() in taken.values(),
        fix="A second one would have other name servers. Set zone.existing to true to take the one that is there"
        f"{', and zone.id to say which' if len(taken) > 1 else ''}; or delete it, if nothing needs it.",
    )


def _record(in_aws: Aws, wanted: Inputs) -> There | None:
    """Look in a zone that exists; a certificate's validation record is the same whoever creates it."""
    zone, kind = wanted["zoneId"], wanted["type"]
    if not isinstance(zone, str):
        return None
    if kind == "NS":
        return _delegation(in_aws, zone, wanted)
    return None if wanted.get("allowOverwrite") else _host(in_aws, zone, kind, wanted)


def _delegation(in_aws: Aws, zone: str, wanted: Inputs) -> There | None:
    """Look for the NS record; one with the same name servers is taken over."""
    name, servers = wanted["name"], wanted["records"]
    found = [each for each in hosted_zones.records(zone, name, in_aws) if each["Type"] == "NS"]
    there = {each for record in found for each in _targets(record)}
    if not there or there == _texts(servers):
        return None
    if _texts(servers):
        ours = False
    else:  # the zone is not created yet, or the state lost it
        zones = hosted_zones.public(name, in_aws)
        own = [id_ for id_, comment in zones.items() if comment == stack_name()]
        ours = there in [_texts(hosted_zones.servers(each, in_aws)) for each in own]
    return There(
        found=f"delegation.parentZone: found an NS record of {name} in the hosted zone {zone}, with {_listed(there)}",
        ids=[f"{zone}_{name}_NS"],
        ours=ours,
        fix="Delete it, if nothing needs what it leads to; or take delegation.parentZone away, and enter the record "
        "when that may be.",
    )


def _host(in_aws: Aws, zone: str, kind: Any, wanted: Inputs) -> There | None:
    """Look for records that exclude the host's. A record has no mark; its TTL tells whether it may be the program's."""
    name = wanted["name"]
    collide = {"A", "AAAA", "CNAME"} if kind == "CNAME" else {kind if isinstance(kind, str) else "A", "CNAME"}
    found = [each for each in hosted_zones.records(zone, name, in_aws) if each["Type"] in collide]
    if not found:
        return None
    aliases = wanted.get("aliases")
    form, targets = (
        (aliases[0]["zoneId"], _texts([aliases[0]["name"]]))
        if aliases
        else (wanted.get("ttl"), _texts(wanted.get("records")))
    )
    listed = " and ".join(f"{each['Type']} to {_listed(_targets(each))}" for each in found)
    return There(
        found=f"hosts: found a record of {name} in the hosted zone {zone}: {listed}",
        ids=[f"{zone}_{name}_{each['Type']}" for each in found],
        # With an unknown target the balancer does not exist yet, nor can a record of this stack.
        ours=bool(targets) and all(_form(each) == form and targets <= _targets(each) for each in found),
        fix="Set hosts to other names, or delete the record, if nothing needs it.",
    )


def _form(record: Mapping[str, Any]) -> object:
    """Return the zone of an alias's target, or the TTL: the same in every record of the program."""
    return record["AliasTarget"]["HostedZoneId"] if "AliasTarget" in record else record.get("TTL")


def _targets(record: Mapping[str, Any]) -> set[str]:
    alias = record.get("AliasTarget")
    return _texts([alias["DNSName"]] if alias else [each["Value"] for each in record["ResourceRecords"]])


def _texts(names: Any) -> set[str]:
    """Return the names in a comparable form; none unless all are known."""
    known = isinstance(names, list) and all(isinstance(each, str) for each in names)
    return {str(each).lower().rstrip(".") for each in names} if known else set()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _bucket(in_aws: Aws, wanted: Inputs) -> There | None:
    bucket = wanted["bucket"]
    with aws_client.client("s3", in_aws, asks=f"Whether there is a bucket {bucket}") as s3:
        try:
            s3.head_bucket(Bucket=bucket)
            tags = {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket=bucket)["TagSet"]}
            owner = whose(tags)
        except s3.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "404":
                return None
            if code not in ("403", "NoSuchTagSet"):
                raise
            tags, owner = {}, "of another account" if code == "403" else whose({})
    mine = f"aws s3api put-bucket-tagging --bucket {bucket} --tagging 'TagSet=[{{Key={OWNER},Value={stack_name()}}}]'"
    return There(
        found=f"domain: found the bucket {bucket}, {owner}",
        ids=[bucket],
        ours=tags.get(OWNER) == stack_name(),
        fix="The state bucket has its name by the domain: set another domain, or delete what is there, if nothing "
        f"needs it.{'' if OWNER in tags else f' Should this stack have made it, before marks existed: {mine}'}",
    )


_LOOKS: Mapping[str, Callable[[Aws, Inputs], There | None]] = {
    "aws:route53/record:Record": _record,
    "aws:route53/zone:Zone": _zone,
    "aws:s3/bucket:Bucket": _bucket,
}
"""The types for which somebody else's resource can be in the way."""
