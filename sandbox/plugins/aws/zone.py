"""Hosted zones."""

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from sandbox.plugins.aws.changes import await_insync, plain_name, same_name
from sandbox.plugins.aws.client import doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, InvalidInputError, PartialFailureError, PluginError
from sandbox.plugins.values import Properties, adjusted

DEFAULT_COMMENT = "Managed by Pulumi"
"""The comment of a zone whose program gives none, as the official provider."""
BATCH = 100
"""Records deleted at once; Route 53 takes at most 1000 in one change."""


class Zone(Tagged):
    """A public hosted zone; its id is the zone's."""

    token = "aws:route53/zone:Zone"
    inputs: ClassVar = {"name": str, "comment": str, "forceDestroy": bool, "tags": dict}
    required = frozenset({"name"})
    computed = frozenset({"zoneId", "nameServers", "primaryNameServer", "arn", "tagsAll"})
    replace_on = frozenset({"name"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the defaults."""
        if inputs["name"] == "":
            raise InvalidInputError("name", "the zone needs a domain name")
        return {"comment": DEFAULT_COMMENT, "forceDestroy": False} | inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Spell domain names as DNS compares them."""
        return adjusted(inputs, name=plain_name)

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the zone, wait for it, tag it."""
        what = f"creating Route 53 Hosted Zone ({inputs['name']})"
        with doing(what):
            made = self.aws.route53.create_hosted_zone(
                Name=inputs["name"],
                CallerReference=str(uuid.uuid4()),
                HostedZoneConfig={"Comment": inputs["comment"]},
            )
        zone = _id(made["HostedZone"])
        try:
            await_insync(self.aws.route53, made["ChangeInfo"], what=what, call=call)
            self._tag(zone, add=self.merged(inputs), remove=[])
            return zone, self._outputs(zone, state=inputs)
        except PluginError as error:
            raise PartialFailureError(str(error), id=zone, outputs=inputs | {"zoneId": zone}) from error

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the zone up."""
        with unless("NoSuchHostedZone"):
            return self._outputs(id, state=state)
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change the comment and the tags."""
        with doing(f"updating Route 53 Hosted Zone ({id})"):
            if inputs["comment"] != state.get("comment"):
                self.aws.route53.update_hosted_zone_comment(Id=id, Comment=inputs["comment"])
        wanted = self.merged(inputs)
        self._tag(id, add=wanted, remove=[key for key in state.get("tagsAll") or {} if key not in wanted])
        return self._outputs(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the zone and, with forceDestroy, its records first."""
        what = f"deleting Route 53 Hosted Zone ({id})"
        with unless("NoSuchHostedZone"):
            if state.get("forceDestroy"):
                self._empty(id, name=state["name"], call=call)
            with doing(what):
                change = self.aws.route53.delete_hosted_zone(Id=id)["ChangeInfo"]
            with unless("NoSuchChange"):
                await_insync(self.aws.route53, change, what=what, call=call)

    def _outputs(self, id: str, *, state: Properties) -> Properties:
        with doing(f"reading Route 53 Hosted Zone ({id})"):
            found = self.aws.route53.get_hosted_zone(Id=id)
            tags = self.aws.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=id)
        servers = found["DelegationSet"]["NameServers"]
        name = plain_name(found["HostedZone"]["Name"])
        return {
            "name": state["name"] if same_name(state.get("name"), name) else name,
            "comment": found["HostedZone"].get("Config", {}).get("Comment", ""),
            "forceDestroy": state.get("forceDestroy", False),
            "zoneId": id,
            "nameServers": sorted(servers),
            "primaryNameServer": servers[0],
            "arn": f"arn:aws:route53:::hostedzone/{id}",
            **self.seen(from_aws(tags["ResourceTagSet"]["Tags"]), state),
        }

    def _tag(self, id: str, *, add: dict[str, str], remove: list[str]) -> None:
        changes: dict[str, Any] = {"AddTags": to_aws(add)} if add else {}
        changes |= {"RemoveTagKeys": remove} if remove else {}
        if changes:
            with doing(f"tagging Route 53 Hosted Zone ({id})"):
                self.aws.route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=id, **changes)

    def _empty(self, id: str, *, name: str, call: Call) -> None:
        """Delete every record but those that make the zone."""
        records = [record for record in self._records(id) if not _makes_zone(record, name)]
        for start in range(0, len(records), BATCH):
            changes = [{"Action": "DELETE", "ResourceRecordSet": each} for each in records[start : start + BATCH]]
            what = f"deleting the records of Route 53 Hosted Zone ({id})"
            with doing(what):
                done = self.aws.route53.change_resource_record_sets(HostedZoneId=id, ChangeBatch={"Changes": changes})
            await_insync(self.aws.route53, done["ChangeInfo"], what=what, call=call)

    def _records(self, id: str) -> Iterator[dict[str, Any]]:
        with doing(f"listing the records of Route 53 Hosted Zone ({id})"):
            pages = self.aws.route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=id)
            for page in pages:
                yield from page["ResourceRecordSets"]


def _makes_zone(record: dict[str, Any], name: str) -> bool:
    return record["Type"] in ("NS", "SOA") and same_name(record["Name"], name)


def _id(zone: dict[str, Any]) -> str:
    return str(zone["Id"]).removeprefix("/hostedzone/")
