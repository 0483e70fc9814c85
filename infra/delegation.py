"""Delegation: what makes the world find the zone, seen before anything waits for it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult
from pulumi.runtime import get_root_resource, invoke_async, proto, rpc
from pulumi.runtime.settings import get_monitor

from contract import exported_name
from infra import lookup
from infra.settings.delegation import DelegationSettings

Inputs = dict[str, Any]


class Delegation(pulumi.ComponentResource):
    """The parent zone's NS record for the zone, made where the parent zone is ours, and looked up in any case.

    What the world has to find in the zone, a certificate or a cluster, takes `zone_id` from here: without the
    delegation the update then fails within seconds, instead of waiting half an hour for something that cannot come.
    """

    zone_id: pulumi.Output[str]
    """The hosted zone's, once the DNS leads to it."""

    def __init__(
        self,
        name: str,
        *,
        settings: DelegationSettings,
        zone_id: pulumi.Input[str],
        name_servers: pulumi.Input[Sequence[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it for the zone of the settings, on these name servers."""
        super().__init__("ejemplo-django:infra:Delegation", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        # Whoever has the parent zone needs them, and most of all when the look at it fails.
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
                opts=child,
            ).fqdn
        seen = Seen(
            f"{name}-seen",
            given={
                "domain": settings.domain,
                "zone": zone_id,
                "servers": pulumi.Output.all(name_servers, exported)[0],
                "certified": settings.certified,
                "resolver": settings.resolver,
                "record": record,
            },
            opts=child,
        )

        self.zone_id = seen.zone
        self.register_outputs({"zoneId": self.zone_id})

    def _parent(self, given: str, domain: str) -> pulumi.Output[str]:
        """The id of our hosted zone of that name, or with that id."""
        by_id = not given.islower()

        async def found() -> str:
            key = f"delegation.parentZone: found {given!r}, expected"
            of = {"zoneId": given} if by_id else {"name": given, "privateZone": False}
            try:
                # Not get_zone_output: an Output that fails ends the program by itself, with the provider's words alone.
                zone = await invoke_async("aws:route53/getZone:getZone", of, pulumi.InvokeOptions(parent=self))
            except Exception as error:  # the SDK has no class for what a provider refuses
                raise pulumi.RunError(
                    f"{key} {'the id' if by_id else 'the name'} of one public hosted zone of this account: {error}. "
                    "Where two have the same name, give the id of the one that the world finds; where another account "
                    "has it, leave the key away, and enter the NS record there."
                ) from error
            if not domain.endswith(f".{zone['name']}"):
                raise pulumi.RunError(f"{key} a zone above {domain}, and that one is {zone['name']}.")
            return str(zone["zoneId"])

        return pulumi.Output.from_input(found())


def _export_at_once(**values: pulumi.Input[Any]) -> pulumi.Output[None]:
    """Make some outputs, by their attributes in the contract, readable even when the update fails after this.

    All of them are registered only when each is known. Until then the engine keeps what it was given last, which is
    this once the result is known.
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
    """Looks the delegation up when it is new or has to be another.

    It is stored in the state by reference: this module and class must keep their names.
    """

    serialize_as_secret_always = False  # nothing in it but its name

    def create(self, props: Inputs) -> CreateResult:
        """Look it up. Raises UnfoundError with what to enter where."""
        return CreateResult(props["domain"], self._awaited(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Look it up again."""
        return UpdateResult(self._awaited(news))

    def diff(self, _id: str, olds: Inputs, news: Inputs) -> DiffResult:
        """Look again for another zone, other name servers or another host; where from makes no difference."""
        keys = ("domain", "zone", "servers", "certified", "record")
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in keys))

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Forget that it was there when it is not; the next `up` then says what to enter."""
        try:
            return ReadResult(id_, self._seen(props))
        except lookup.DelegationError as error:
            return ReadResult(id_, props) if error.unknown else ReadResult("", {})

    def _awaited(self, props: Inputs) -> Inputs:
        try:
            return self._seen(props)
        except lookup.DelegationError as error:
            raise UnfoundError(
                f"{error}\nThen run `pulumi up` again: it goes on from here. The hosted zone {props['zone']} is kept, "
                "its name servers are the output nameServers, and nothing that the world has to find was begun."
            ) from error

    def _seen(self, props: Inputs) -> Inputs:
        parent = lookup.verify(
            props["domain"], props["servers"], certified=props.get("certified"), resolver=props.get("resolver")
        )
        return {**props, "servers": sorted(props["servers"]), "parent": parent}


class UnfoundError(Exception):
    """The DNS does not lead to the zone; says what to do about it."""


class Seen(pulumi.dynamic.Resource, module="ejemplo-django", name="DelegationSeen"):
    """The delegation as it was seen; nothing is behind it that could be deleted."""

    zone: pulumi.Output[str]
    parent: pulumi.Output[str]
    """The zone above."""

    def __init__(self, name: str, *, given: Inputs, opts: pulumi.ResourceOptions) -> None:
        """Declare it."""
        super().__init__(SeenProvider(), name, {**given, "parent": None}, opts)
