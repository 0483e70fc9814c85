"""Zone: the domain's hosted zone, where the records of every host beneath it are kept."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws


class Zone(pulumi.ComponentResource):
    """A hosted zone. The internet finds it once the parent zone's NS record names its name servers."""

    id: pulumi.Output[str]
    """The hosted zone's."""
    name_servers: pulumi.Output[Sequence[str]]
    """What the parent zone's NS record must name."""

    def __init__(self, name: str, *, domain: str, protect: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it; unless protected, the zone is deleted with whatever records are left in it."""
        super().__init__("ejemplo-django:infra:Zone", name, None, opts)

        zone = aws.route53.Zone(
            f"{name}-zone",
            name=domain,
            force_destroy=not protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )

        self.id = zone.zone_id
        self.name_servers = zone.name_servers
        self.register_outputs({"id": self.id, "nameServers": self.name_servers})
