"""Alias: the DNS records that point the site's hosts to the balancer."""

import ipaddress
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.balancer_kind import BalancerKind

_TTL = 60
"""Seconds that a resolver may cache these records: as Route 53 does for an alias to an AWS balancer."""


class Alias(pulumi.ComponentResource):
    """A DNS record for each host.

    For an AWS balancer, an A record that Route 53 answers with the balancer's addresses: an alias and not a CNAME,
    which DNS does not allow at the top of a zone. For any other balancer, an A or AAAA record with its address, or a
    CNAME if it only has a name.
    """

    def __init__(
        self,
        name: str,
        *,
        zone_id: pulumi.Input[str],
        hosts: Sequence[str],
        target: pulumi.Input[str],
        kind: BalancerKind = BalancerKind.CLASSIC,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `target` is the balancer's name (an AWS balancer is in the provider's region) or address."""
        super().__init__("ejemplo-django:infra:Alias", name, None, opts)

        target = pulumi.Output.from_input(target)
        alias: list[aws.route53.RecordAliasArgsDict] | None = None
        if kind is not BalancerKind.NONE:
            alias = [{"name": target, "zone_id": self._balancers_zone(kind), "evaluate_target_health": False}]
        for host in hosts:
            aws.route53.Record(
                # Named after the host, so that each record keeps its identity when hosts come, go or change places.
                f"{name}-record-{host}",
                zone_id=zone_id,
                name=host,
                type="A" if alias else target.apply(_record_type),
                aliases=alias,
                records=None if alias else [target],
                ttl=None if alias else _TTL,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    # The record's name in an older stack, so that it is not replaced.
                    aliases=[pulumi.Alias(name=f"{name}-record")] if host == hosts[0] else None,
                ),
            )
        self.register_outputs({})

    def _balancers_zone(self, kind: BalancerKind) -> pulumi.Output[str]:
        """Return the id of the zone that AWS has for all balancers of the kind in the region; not the records' zone."""
        invoke = pulumi.InvokeOutputOptions(parent=self)
        if kind is BalancerKind.NLB:
            return aws.lb.get_hosted_zone_id_output(load_balancer_type="network", opts=invoke).id
        return aws.elb.get_hosted_zone_id_output(opts=invoke).id


def _record_type(target: str) -> str:
    try:
        address = ipaddress.ip_address(target)
    except ValueError:
        return "CNAME"
    return "A" if address.version == 4 else "AAAA"
