"""Alias: the record that sends the site's host to the balancer."""

import pulumi
import pulumi_aws as aws


class Alias(pulumi.ComponentResource):
    """An A record that Route 53 answers with the balancer's addresses.

    An alias and not a CNAME: it may stand at the top of the zone as well, where DNS allows no CNAME.
    """

    def __init__(
        self,
        name: str,
        *,
        zone_id: pulumi.Input[str],
        host: str,
        target: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `target` is the name of an ELB in the provider's region."""
        super().__init__("ejemplo-django:infra:Alias", name, None, opts)

        # The zone of all classic balancers in the region, which AWS owns; not the zone of the record.
        balancers = aws.elb.get_hosted_zone_id_output(opts=pulumi.InvokeOutputOptions(parent=self))
        aws.route53.Record(
            f"{name}-record",
            zone_id=zone_id,
            name=host,
            type="A",
            aliases=[{"name": target, "zone_id": balancers.id, "evaluate_target_health": False}],
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.register_outputs({})
