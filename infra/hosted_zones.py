"""Looks up the account's public hosted zones and their records."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.runtime import invoke_async

from infra import aws_client
from infra.settings.aws import Aws


async def look_up(given: str, *, key: str, hint: str, parent: pulumi.Resource) -> Mapping[str, Any]:
    """Return the zone with that name or id. Raise RunError with the setting's key and the hint."""
    by_id = not given.islower()
    arguments = {"zoneId": given} if by_id else {"name": given, "privateZone": False}
    try:
        # Not get_zone_output: an Output that fails ends the program with the provider's message alone.
        found: Mapping[str, Any] = await invoke_async(
            "aws:route53/getZone:getZone", arguments, pulumi.InvokeOptions(parent=parent)
        )
    except Exception as error:  # the SDK has no class for what a provider refuses
        raise pulumi.RunError(
            f"{key}: found {given!r}, expected {'the id' if by_id else 'the name'} of one public hosted zone of this "
            f"account: {error}. {hint}"
        ) from error
    return found


def public(domain: str, in_aws: Aws) -> dict[str, str]:
    """Return the comment of each public zone of that name in the account, by its id. Raise RunError."""
    with aws_client.client("route53", in_aws, asks=f"Whether the account has a hosted zone {domain}") as route53:
        # Sorted by name, from this one on.
        zones = route53.list_hosted_zones_by_name(DNSName=domain)["HostedZones"]
    return {
        each["Id"].rpartition("/")[2]: each["Config"].get("Comment", "")
        for each in zones
        if each["Name"] == f"{domain}." and not each["Config"]["PrivateZone"]
    }


def servers(zone_id: str, in_aws: Aws) -> list[str]:
    """Return the names of a zone's name servers. Raise RunError."""
    with aws_client.client("route53", in_aws, asks=f"Which servers the hosted zone {zone_id} has") as route53:
        return list(route53.get_hosted_zone(Id=zone_id)["DelegationSet"]["NameServers"])


def records(zone_id: str, name: str, in_aws: Aws) -> list[Mapping[str, Any]]:
    """Return the zone's records of that name, as Route 53 lists them. Raise RunError."""
    with aws_client.client("route53", in_aws, asks=f"Which records of {name} the hosted zone {zone_id} has") as route53:
        # Sorted by name, from this one on. A name has few enough records for the first page.
        found = route53.list_resource_record_sets(HostedZoneId=zone_id, StartRecordName=name)["ResourceRecordSets"]
    return [each for each in found if each["Name"] == f"{name}."]
