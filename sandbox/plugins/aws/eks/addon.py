"""Add-ons of a cluster."""

from typing import Any, ClassVar

from sandbox.plugins.aws.eks.thing import EksThing
from sandbox.plugins.aws.thing import Seen
from sandbox.plugins.resource import Call
from sandbox.plugins.values import Properties, adjusted

_CONFLICTS = ("resolveConflictsOnCreate", "resolveConflictsOnUpdate")


class Addon(EksThing):
    """An add-on; its id is the cluster's name, a colon and its own."""

    token = "aws:eks/addon:Addon"
    title = "EKS Add-On"
    seconds = (20 * 60.0, 20 * 60.0, 40 * 60.0)
    inputs: ClassVar = {
        "clusterName": str,
        "addonName": str,
        "addonVersion": str,
        "configurationValues": str,
        "podIdentityAssociations": [{"roleArn": str, "serviceAccount": str}],
        "resolveConflictsOnCreate": str,
        "resolveConflictsOnUpdate": str,
        "tags": dict,
    }
    required = frozenset({"clusterName", "addonName"})
    computed = frozenset({"arn", "createdAt", "modifiedAt", "tagsAll"})
    filled_in = frozenset({"addonVersion"})
    replace_on = required

    def comparable(self, inputs: Properties) -> Properties:
        """Take the identities as a set."""
        return adjusted(
            inputs, podIdentityAssociations=lambda some: sorted(some, key=lambda each: str(each["serviceAccount"]))
        )

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Ask for it."""
        asked = _asked(inputs, conflicts=inputs.get("resolveConflictsOnCreate"))
        self.aws.eks.create_addon(
            clusterName=inputs["clusterName"],
            addonName=inputs["addonName"],
            **asked,
            **({"tags": tags} if tags else {}),
        )
        return f"{inputs['clusterName']}:{inputs['addonName']}"

    def describe(self, id: str) -> dict[str, Any]:
        """Give it as EKS describes it."""
        found: dict[str, Any] = self.aws.eks.describe_addon(**_where(id))["addon"]
        return found

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Move it to another version, settings or identities."""
        names = ("addonVersion", "configurationValues", "podIdentityAssociations")
        if any(self.comparable({name: inputs.get(name)}) != self.comparable({name: state.get(name)}) for name in names):
            where = _where(id)
            asked = _asked(inputs, conflicts=inputs.get("resolveConflictsOnUpdate"))
            update = self.aws.eks.update_addon(**where, **asked)
            self.await_update(update, call=call, name=where["clusterName"], addonName=where["addonName"])

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        live = self.describe(id)
        identities = [
            self.aws.eks.describe_pod_identity_association(
                clusterName=live["clusterName"], associationId=arn.rpartition("/")[2]
            )["association"]
            for arn in live.get("podIdentityAssociations", [])
        ]
        outputs = {
            "clusterName": live["clusterName"],
            "addonName": live["addonName"],
            "addonVersion": live["addonVersion"],
            "configurationValues": live.get("configurationValues") or None,
            "podIdentityAssociations": [
                {"roleArn": each["roleArn"], "serviceAccount": each["serviceAccount"]} for each in identities
            ]
            or None,
            **{name: state.get(name) for name in _CONFLICTS},
            "arn": live["addonArn"],
            "createdAt": live["createdAt"].isoformat(),
            "modifiedAt": live["modifiedAt"].isoformat(),
        }
        return {key: value for key, value in outputs.items() if value is not None}, dict(live.get("tags") or {})

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it and wait until it is gone."""
        self.aws.eks.delete_addon(**_where(id))
        self.await_gone(id, call=call)


def _asked(inputs: Properties, *, conflicts: str | None) -> dict[str, Any]:
    names = ("addonVersion", "configurationValues", "podIdentityAssociations")
    asked = {name: inputs[name] for name in names if inputs.get(name)}
    return asked | ({"resolveConflicts": conflicts} if conflicts else {})


def _where(id: str) -> dict[str, str]:
    cluster, _, name = id.partition(":")
    return {"clusterName": cluster, "addonName": name}
