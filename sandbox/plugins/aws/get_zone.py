"""The function that finds a hosted zone by its name or id."""

from typing import Any

from sandbox.plugins.aws.changes import plain_name, same_name
from sandbox.plugins.aws.client import Aws, doing
from sandbox.plugins.resource import Function, PluginError
from sandbox.plugins.values import Properties


def get_zone(aws: Aws) -> Function:
    """Make the function; as the official provider's it finds exactly one zone, public unless asked otherwise."""

    def call(arguments: Properties) -> Properties:
        if ("name" in arguments) is ("zoneId" in arguments):
            raise PluginError("getZone: give either name or zoneId")
        if "zoneId" in arguments:
            found = [_read(aws, arguments["zoneId"])]
        else:
            found = _named(aws, arguments["name"], private=bool(arguments.get("privateZone")))
        if not found:
            raise PluginError("no matching Route 53 Hosted Zone found")
        if len(found) > 1:
            raise PluginError("multiple Route 53 Hosted Zones matched; use additional constraints to reduce matches")
        [zone] = found
        plain = zone["HostedZone"]["Id"].removeprefix("/hostedzone/")
        servers = zone["DelegationSet"]["NameServers"] if "DelegationSet" in zone else []
        return {
            "id": plain,
            "zoneId": plain,
            "arn": f"arn:aws:route53:::hostedzone/{plain}",
            "name": plain_name(zone["HostedZone"]["Name"]),
            "comment": zone["HostedZone"].get("Config", {}).get("Comment", ""),
            "privateZone": bool(zone["HostedZone"].get("Config", {}).get("PrivateZone")),
            "callerReference": zone["HostedZone"]["CallerReference"],
            "resourceRecordSetCount": zone["HostedZone"]["ResourceRecordSetCount"],
            "nameServers": sorted(servers),
            "primaryNameServer": servers[0] if servers else "",
        }

    return Function(
        token="aws:route53/getZone:getZone",
        inputs={"name": str, "zoneId": str, "privateZone": bool},
        outputs=frozenset(
            {
                "id",
                "zoneId",
                "arn",
                "name",
                "comment",
                "privateZone",
                "callerReference",
                "resourceRecordSetCount",
                "nameServers",
                "primaryNameServer",
            }
        ),
        call=call,
    )


def _read(aws: Aws, id: str) -> dict[str, Any]:
    with doing(f"reading Route 53 Hosted Zone ({id})"):
        found: dict[str, Any] = aws.route53.get_hosted_zone(Id=id)
    return found


def _named(aws: Aws, name: str, *, private: bool) -> list[dict[str, Any]]:
    with doing("listing Route 53 Hosted Zones"):
        pages = aws.route53.get_paginator("list_hosted_zones").paginate()
        zones = [zone for page in pages for zone in page["HostedZones"]]
    of_kind = [each for each in zones if bool(each.get("Config", {}).get("PrivateZone")) is private]
    return [_read(aws, each["Id"]) for each in of_kind if same_name(each["Name"], name)]
