"""Delegation: the parent zone's NS record for the zone, checked before anything depends on it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult
from pulumi.runtime import get_root_resource, proto, rpc
from pulumi.runtime.settings import get_monitor

from contract import exported_name
from infra import hosted_zones, lookup
from infra.settings.delegation import DelegationSettings

Inputs = dict[str, Any]


class Delegation(pulumi.ComponentResource):
    """The parent zone's NS record for the zone, created if the parent zone is ours, and looked up in any case.

    Resources that need the zone in the public DNS, a certificate or a cluster, take `zone_id` from here. Without the
    delegation, the update then fails at this check instead of waiting half an hour in vain.
    """

    zone_id: pulumi.Output[str]
    """The hosted zone's id, known once the DNS leads to it."""

    def __init__(
        self,
        name: str,
        *,
        settings: DelegationSettings,
        zone_id: pulumi.Input[str],
        name_servers: pulumi.Input[Sequence[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it for the zone of the settings, with these name servers."""
        super().__init__("ejemplo-django:infra:Delegation", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        # They are needed to enter the record in the parent zone, most of all if the lookup fails.
        exported = _export_at_once(zone_id=zone_id, name_servers=name_servers)
        record: pulumi.Input[str] | None = None
        if settings.parent_zone is not None:
            record = aws.route53.Record(
                f"{name}-record",
                zone_id=self._parent(settings.parent_zone, settings.domain),
                name=settings.domain,
                type="NS",
                records=name_servers,
                ttl=lookup.RECORD_TTL,
                # An identical record may exist, entered by hand after the first `up`; a different one is refused.
                allow_overwrite=True,
                opts=child,
            ).fqdn
        seen = Seen(
            f"{name}-seen",
            given={
                "domain": settings.domain,
                "zone": zone_id,
                "servers": pulumi.Output.all(name_servers, exported)[0],
                "hosts": list(settings.certified),
                "resolver": settings.resolver,
                "record": record,
            },
            opts=child,
        )

        self.zone_id = seen.zone
        self.register_outputs({"zoneId": self.zone_id})

    def _parent(self, given: str, domain: str) -> pulumi.Output[str]:
        """Return the id of the account's hosted zone with that name or id, which must be above the domain."""
        key = "delegation.parentZone"
        hint = (
            "If two zones have the name, give the id of the one that the public DNS leads to. If the zone is in "
            "another account, remove the key and enter the NS record there."
        )

        async def found() -> str:
            zone = await hosted_zones.look_up(given, key=key, hint=hint, parent=self)
            if not domain.endswith(f".{zone['name']}"):
                raise pulumi.RunError(
                    f"{key}: found {given!r}, which is {zone['name']}, expected a zone above {domain}."
                )
            return str(zone["zoneId"])

        return pulumi.Output.from_input(found())


def _export_at_once(**values: pulumi.Input[Any]) -> pulumi.Output[None]:
    """Export some outputs, by their attributes in the contract, even if the update fails after this.

    Pulumi registers the outputs only when all of them are known. Until then the engine keeps what it received last:
    these, once the result is known.
    """

    async def registered() -> None:
        stack, monitor = get_root_resource(), get_monitor()
        if stack is None or monitor is None:
            return
        outputs = await rpc.serialize_properties({exported_name(key): each for key, each in values.items()}, {})
        request = proto.resource_pb2.RegisterResourceOutputsRequest(urn=str(await stack.urn.future()), outputs=outputs)
        await asyncio.get_running_loop().run_in_executor(None, monitor.RegisterResourceOutputs, request)

    return pulumi.Output.from_input(registered())


class SeenProvider(ResourceProvider):
    """Looks the delegation up when it is new or changes.

    The state refers to this module and class by name: do not rename them.
    """

    serialize_as_secret_always = False  # nothing in it but its name

    def create(self, props: Inputs) -> CreateResult:
        """Look it up. Raise UnfoundError, which says what to enter and where."""
        return CreateResult(props["domain"], self._verified(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Look it up again. Raise UnfoundError."""
        return UpdateResult(self._verified(news))

    def diff(self, _id: str, olds: Inputs, news: Inputs) -> DiffResult:
        """Return whether the zone, its name servers or the hosts have changed. Another resolver does not matter."""
        keys = ("domain", "zone", "servers", "hosts", "record")
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in keys))

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Report the resource as gone if the delegation is gone; the next `up` then says what to enter."""
        try:
            return ReadResult(id_, self._look_up(props))
        except lookup.DelegationError as error:
            return ReadResult(id_, props) if error.unknown else ReadResult("", {})

    def _verified(self, props: Inputs) -> Inputs:
        try:
            return self._look_up(props)
        except lookup.DelegationError as error:
            raise UnfoundError(
                f"{error}\nThen run `pulumi up --refresh`: it goes on from here. The hosted zone {props['zone']} is "
                "kept, its name servers are the output nameServers, and nothing that needs the delegation was started."
            ) from error

    def _look_up(self, props: Inputs) -> Inputs:
        parent = lookup.verify(
            props["domain"], props["servers"], certified=props.get("hosts", ()), resolver=props.get("resolver")
        )
        return {**props, "servers": sorted(props["servers"]), "parent": parent}


class UnfoundError(Exception):
    """The DNS does not lead to the zone. The message says what to do."""


class Seen(pulumi.dynamic.Resource, module="ejemplo-django", name="DelegationSeen"):
    """The delegation as it was found. There is nothing to delete."""

    zone: pulumi.Output[str]
    parent: pulumi.Output[str]
    """The parent zone."""

    def __init__(self, name: str, *, given: Inputs, opts: pulumi.ResourceOptions) -> None:
        """Declare it."""
        super().__init__(SeenProvider(), name, {**given, "parent": None}, opts)
