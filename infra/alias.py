"""Alias: the record that sends the site's host to the balancer."""

import ipaddress

import pulumi
import pulumi_aws as aws

from infra.balancer_kind import BalancerKind

_TTL = 60
"""Seconds that a resolver may keep a record of ours: what Route 53 itself says for an alias to a balancer of AWS's."""


class Alias(pulumi.ComponentResource):
    """What resolvers are told of the host.

    For a balancer of AWS's an A record that Route 53 answers with the balancer's addresses: an alias and not a CNAME,
    so it may stand at the top of the zone as well, where DNS allows no CNAME. For any other an A record with its
    address, or where it has only a name a CNAME.
    """

    def __init__(
        self,
        name: str,
        *,
        zone_id: pulumi.Input[str],
        host: str,
        target: pulumi.Input[str],
        kind: BalancerKind = BalancerKind.CLASSIC,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `target` is the balancer's name, one in the provider's region if it is AWS's, or its address."""
        super().__init__("ejemplo-django:infra:Alias", name, None, opts)

        child, invoke = pulumi.ResourceOptions(parent=self), pulumi.InvokeOutputOptions(parent=self)
        if kind is BalancerKind.NONE:
            target = pulumi.Output.from_input(target)
            aws.route53.Record(
                f"{name}-record",
                zone_id=zone_id,
                name=host,
                type=target.apply(_record_type),
                records=[target],
                ttl=_TTL,
                opts=child,
            )
        else:
            # The zone of all balancers of the kind in the region, which AWS owns; not the zone of the record.
            balancers_zone = (
                aws.lb.get_hosted_zone_id_output(load_balancer_type="network", opts=invoke).id
                if kind is BalancerKind.NLB
                else aws.elb.get_hosted_zone_id_output(opts=invoke).id
            )
            aws.route53.Record(
                f"{name}-record",
                zone_id=zone_id,
                name=host,
                type="A",
                aliases=[{"name": target, "zone_id": balancers_zone, "evaluate_target_health": False}],
                opts=child,
            )

        self.register_outputs({})


def _record_type(target: str) -> str:
    try:
        address = ipaddress.ip_address(target)
    except ValueError:
        return "CNAME"
    return "A" if address.version == 4 else "AAAA"
