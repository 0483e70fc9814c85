"""The functions that tell in which zone AWS keeps the names of a region's balancers, classic or not."""

from sandbox.plugins.resource import Function, PluginError
from sandbox.plugins.values import Properties

ZONES = {
    "us-east-1": "Z35SXDOTRQ7X7K",
    "us-east-2": "Z3AADJGX6KTTL2",
    "us-west-1": "Z368ELLRRE2KJ0",
    "us-west-2": "Z1H1FL5HABSF5",
    "eu-central-1": "Z215JYRZR1TBD5",
    "eu-west-1": "Z32O12XQLNTSW2",
}
"""Zone by region, of those a sandbox has been asked for; from AWS's general reference, ELB endpoints."""

NETWORK_ZONES = {
    "us-east-1": "Z26RNL4JYFTOTI",
    "us-east-2": "ZLMOA37VPKANP",
    "us-west-1": "Z24FKFUX50B4VW",
    "us-west-2": "Z18D5FSROUN65G",
    "eu-central-1": "Z3F0SRJ5LGBH90",
    "eu-west-1": "Z2IFOLAFXWLO4F",
}
"""The same for network balancers. Those of application balancers are the classic ones'."""


def functions(default_region: str) -> list[Function]:
    """Make both; `default_region` answers when the program names no region."""

    def zone(arguments: Properties, zones: dict[str, str]) -> Properties:
        region = arguments.get("region") or default_region
        if region not in zones:
            known = ", ".join(sorted(zones))
            raise PluginError(f"getHostedZoneId: this stand-in knows no zone for {region!r}, only for {known}")
        return {"id": zones[region], "region": region}

    def of_kind(arguments: Properties) -> Properties:
        kind = arguments.get("loadBalancerType") or "application"
        if kind not in ("application", "network"):
            raise PluginError(f"getHostedZoneId: loadBalancerType is {kind!r}, expected application or network")
        return {**zone(arguments, NETWORK_ZONES if kind == "network" else ZONES), "loadBalancerType": kind}

    return [
        Function(
            token="aws:elb/getHostedZoneId:getHostedZoneId",
            inputs={"region": str},
            outputs=frozenset({"id", "region"}),
            call=lambda arguments: zone(arguments, ZONES),
        ),
        Function(
            token="aws:lb/getHostedZoneId:getHostedZoneId",
            inputs={"region": str, "loadBalancerType": str},
            outputs=frozenset({"id", "region", "loadBalancerType"}),
            call=of_kind,
        ),
    ]
