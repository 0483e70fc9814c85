"""Zone: the domain's hosted zone, which has the records of every host under it."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra import hosted_zones
from infra.ownership import stack_name
from infra.settings import zone as settings


class Zone(pulumi.ComponentResource):
    """A hosted zone. The public DNS finds it once the parent zone's NS record names its name servers."""

    id: pulumi.Output[str]
    """The hosted zone's id."""
    name_servers: pulumi.Output[Sequence[str]]
    """The name servers that the parent zone's NS record must name."""

    def __init__(
        self,
        name: str,
        *,
        domain: str,
        settings: settings.Zone,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; unless protected, a zone that was created is deleted with all records left in it."""
        super().__init__("ejemplo-django:infra:Zone", name, None, opts)

        zone = (
            # Under the name of a created zone: Pulumi then releases one that this stack created before.
            aws.route53.Zone.get(
                f"{name}-zone", self._existing(domain, settings.id), opts=pulumi.ResourceOptions(parent=self)
            )
            if settings.existing
            else aws.route53.Zone(
                f"{name}-zone",
                name=domain,
                # The owner, in case the state is lost.
                comment=stack_name(),
                force_destroy=not protect,
                opts=pulumi.ResourceOptions(parent=self, protect=protect),
            )
        )

        self.id = zone.zone_id
        self.name_servers = zone.name_servers
        self.register_outputs({"id": self.id, "nameServers": self.name_servers})

    def _existing(self, domain: str, id_: str | None) -> pulumi.Output[str]:
        """Return the id of the account's public zone of that name, or `id_` once its name is verified."""
        key = "zone.id" if id_ else "zone.existing"

        async def found() -> str:
            hint = f"If two zones are named {domain}, set zone.id."
            zone = await hosted_zones.look_up(id_ or domain, key=key, hint=hint, parent=self)
            if zone["name"] != domain or zone["privateZone"]:
                kind = "private" if zone["privateZone"] else "public"
                raise pulumi.RunError(f"{key}: found the {kind} zone {zone['name']}, expected the public {domain}.")
            return str(zone["zoneId"])

        return pulumi.Output.from_input(found())
