"""Records of a hosted zone."""

from typing import Any, ClassVar

from sandbox.plugins.aws.changes import await_insync, plain_name, same_name
from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.resource import Call, InvalidInputError, PartialFailureError, PluginError, ResourceType
from sandbox.plugins.values import Properties, adjusted

QUOTED = frozenset({"TXT", "SPF"})
"""Types whose values Route 53 wants in double quotes and programs write without."""


class Record(ResourceType):
    """A simple record or an alias; its id is ZONE_NAME_TYPE."""

    token = "aws:route53/record:Record"
    inputs: ClassVar = {
        "zoneId": str,
        "name": str,
        "type": str,
        "ttl": int,
        "records": [str],
        "aliases": [{"name": str, "zoneId": str, "evaluateTargetHealth": bool}],
        "allowOverwrite": bool,
    }
    required = frozenset({"zoneId", "name", "type"})
    computed = frozenset({"fqdn"})
    replace_on = frozenset({"zoneId", "name"})

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.route53 = aws.route53

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Require either values with a time to live, or one alias."""
        given = [name for name in ("records", "aliases") if inputs.get(name) is not None]
        if len(given) != 1:
            raise InvalidInputError("records", "give either records (with ttl) or aliases")
        if (inputs.get("ttl") is not None) is not (given == ["records"]):
            raise InvalidInputError("ttl", "records need a ttl, an alias takes none")
        return inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Spell domain names as DNS compares them; the order of values does not matter."""
        return adjusted(inputs, name=plain_name, records=sorted, aliases=lambda some: [_normal(one) for one in some])

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the record; one that exists already is an error unless allowOverwrite says otherwise."""
        fqdn = self._fqdn(inputs)
        action = "UPSERT" if inputs.get("allowOverwrite") else "CREATE"
        what = f"creating Route 53 Record ({fqdn} {inputs['type']})"
        if action == "CREATE" and self._find(inputs["zoneId"], fqdn, inputs["type"]):
            # Route 53 says so itself; moto only when the values are the same too
            raise PluginError(f"{what}: it already exists: import it, or set allowOverwrite")
        change = self._change(inputs["zoneId"], [(action, _to_aws(inputs, fqdn))], what=what)
        made, outputs = (
            f"{inputs['zoneId']}_{plain_name(inputs['name'])}_{inputs['type']}",
            inputs | {"fqdn": fqdn},
        )
        try:
            await_insync(self.route53, change, what=what, call=call)
        except PluginError as error:
            raise PartialFailureError(str(error), id=made, outputs=outputs) from error
        return made, outputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the record up in its zone; the id says where when it is being imported."""
        if not state:
            zone, rest = id.split("_", 1)
            name, kind = rest.rsplit("_", 1)
            state = {"zoneId": zone, "name": name, "type": kind}
        with unless("NoSuchHostedZone"):
            fqdn = self._fqdn(state)
            live = self._find(state["zoneId"], fqdn, state["type"])
            if live:
                kept = {key: value for key, value in state.items() if key not in ("ttl", "records", "aliases")}
                return kept | _from_aws(live) | {"fqdn": fqdn}
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Put the new values in the place of the old ones, in one change even if the type is another."""
        fqdn = self._fqdn(inputs)
        what = f"updating Route 53 Record ({fqdn} {inputs['type']})"
        changes = [("UPSERT", _to_aws(inputs, fqdn))]
        if state["type"] != inputs["type"]:
            old = self._find(state["zoneId"], fqdn, state["type"])
            changes = ([("DELETE", old)] if old else []) + changes
        await_insync(self.route53, self._change(inputs["zoneId"], changes, what=what), what=what, call=call)
        return inputs | {"fqdn": fqdn}

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the record as it is now, whatever the state says of its values."""
        with unless("NoSuchHostedZone"):
            fqdn = self._fqdn(state)
            live = self._find(state["zoneId"], fqdn, state["type"])
            if live:
                what = f"deleting Route 53 Record ({fqdn} {state['type']})"
                change = self._change(state["zoneId"], [("DELETE", live)], what=what)
                await_insync(self.route53, change, what=what, call=call)

    def _fqdn(self, properties: Properties) -> str:
        """Give the full name of a record that may be named relative to its zone."""
        with doing(f"reading Route 53 Hosted Zone ({properties['zoneId']})"):
            found = self.route53.get_hosted_zone(Id=properties["zoneId"])["HostedZone"]["Name"]
        name, zone = plain_name(properties["name"]), plain_name(found)
        if not name:
            return zone
        return name if name == zone or name.endswith(f".{zone}") else f"{name}.{zone}"

    def _find(self, zone: str, fqdn: str, kind: str) -> dict[str, Any] | None:
        with doing(f"reading Route 53 Record ({fqdn} {kind})"):
            found: list[dict[str, Any]] = self.route53.list_resource_record_sets(
                HostedZoneId=zone, StartRecordName=fqdn, StartRecordType=kind, MaxItems="1"
            )["ResourceRecordSets"]
        return next((each for each in found if same_name(each["Name"], fqdn) and each["Type"] == kind), None)

    def _change(self, zone: str, changes: list[tuple[str, dict[str, Any]]], *, what: str) -> dict[str, Any]:
        batch = {"Changes": [{"Action": action, "ResourceRecordSet": each} for action, each in changes]}
        with doing(what):
            done = self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)
        change: dict[str, Any] = done["ChangeInfo"]
        return change


def _to_aws(inputs: Properties, fqdn: str) -> dict[str, Any]:
    record: dict[str, Any] = {"Name": fqdn, "Type": inputs["type"]}
    if inputs.get("aliases"):
        alias = inputs["aliases"][0]
        target = {"HostedZoneId": alias["zoneId"], "DNSName": alias["name"]}
        return record | {"AliasTarget": target | {"EvaluateTargetHealth": alias["evaluateTargetHealth"]}}
    quote = '"' if inputs["type"] in QUOTED else ""
    values = [{"Value": f"{quote}{value}{quote}"} for value in inputs["records"]]
    return record | {"TTL": inputs["ttl"], "ResourceRecords": values}


def _from_aws(record: dict[str, Any]) -> Properties:
    if "AliasTarget" in record:
        target = record["AliasTarget"]
        alias = {"name": target["DNSName"], "zoneId": target["HostedZoneId"]}
        return {"aliases": [_normal(alias | {"evaluateTargetHealth": target["EvaluateTargetHealth"]})]}
    values = [each["Value"] for each in record.get("ResourceRecords", [])]
    if record["Type"] in QUOTED:
        values = [value.removeprefix('"').removesuffix('"') for value in values]
    return {"ttl": record.get("TTL"), "records": values}


def _normal(alias: dict[str, Any]) -> dict[str, Any]:
    """Spell the target as Route 53 compares it; its console puts `dualstack.` before a balancer's name."""
    return alias | {"name": plain_name(alias["name"]).removeprefix("dualstack.")}
