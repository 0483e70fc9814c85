"""Managed node groups."""

from typing import Any, ClassVar

from sandbox.plugins.aws.eks.thing import EksThing
from sandbox.plugins.aws.thing import Seen
from sandbox.plugins.resource import Call
from sandbox.plugins.values import Properties, adjusted


class NodeGroup(EksThing):
    """A node group; its id is the cluster's name, a colon and its own."""

    token = "aws:eks/nodeGroup:NodeGroup"
    title, named = "EKS Node Group", "nodeGroupName"
    seconds = (60 * 60.0, 60 * 60.0, 60 * 60.0)
    inputs: ClassVar = {
        "clusterName": str,
        "nodeGroupName": str,
        "nodeRoleArn": str,
        "subnetIds": [str],
        "version": str,
        "amiType": str,
        "capacityType": str,
        "instanceTypes": [str],
        "labels": dict,
        "scalingConfig": {"minSize": int, "maxSize": int, "desiredSize": int},
        "updateConfig": {"maxUnavailable": int},
        "launchTemplate": {"id": str, "version": str},
        "tags": dict,
    }
    required = frozenset({"clusterName", "nodeRoleArn", "subnetIds", "scalingConfig"})
    computed = frozenset({"arn", "releaseVersion", "resources", "status", "diskSize", "tagsAll"})
    filled_in = frozenset({"version", "amiType", "capacityType", "instanceTypes", "updateConfig"})
    replace_on = frozenset({"clusterName", "nodeGroupName", "nodeRoleArn", "subnetIds", "amiType", "capacityType"}) | {
        "instanceTypes",
        "launchTemplate.id",
    }

    def comparable(self, inputs: Properties) -> Properties:
        """Take the subnets as a set."""
        return adjusted(inputs, subnetIds=sorted)

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Ask for it."""
        names = {"nodeRoleArn": "nodeRole", "subnetIds": "subnets", "nodeGroupName": "nodegroupName"}
        asked = {names.get(name, name): value for name, value in inputs.items() if value is not None and name != "tags"}
        made = self.aws.eks.create_nodegroup(**asked, **({"tags": tags} if tags else {}))["nodegroup"]
        return f"{made['clusterName']}:{made['nodegroupName']}"

    def describe(self, id: str) -> dict[str, Any]:
        """Give it as EKS describes it."""
        found: dict[str, Any] = self.aws.eks.describe_nodegroup(**_where(id))["nodegroup"]
        return found

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Roll its machines where those are to be others, then change how many they are and what they are called."""
        where = _where(id)
        at = {"name": where["clusterName"], "nodegroupName": where["nodegroupName"]}
        template, version = inputs.get("launchTemplate"), inputs.get("version")
        rolled: dict[str, Any] = {}
        if template and template.get("version") != (state.get("launchTemplate") or {}).get("version"):
            rolled["launchTemplate"] = template
        if version and version != state.get("version"):
            rolled["version"] = version
        if rolled:
            self.await_update(self.aws.eks.update_nodegroup_version(**where, **rolled), call=call, **at)
        settings: dict[str, Any] = {
            name: inputs[name]
            for name in ("scalingConfig", "updateConfig")
            if inputs.get(name) and inputs[name] != state.get(name)
        }
        old, new = state.get("labels") or {}, inputs.get("labels") or {}
        if old != new:
            gone = [key for key in old if key not in new]
            settings["labels"] = {"addOrUpdateLabels": new, "removeLabels": gone}
        if settings:
            self.await_update(self.aws.eks.update_nodegroup_config(**where, **settings), call=call, **at)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        live = self.describe(id)
        template = live.get("launchTemplate")
        groups = live.get("resources", {}).get("autoScalingGroups", [])
        outputs = {
            "clusterName": live["clusterName"],
            "nodeGroupName": live["nodegroupName"],
            "nodeRoleArn": live["nodeRole"],
            "subnetIds": live["subnets"],
            "launchTemplate": {"id": template["id"], "version": template["version"]} if template else None,
            **{
                name: live.get(name)
                for name in (
                    "version",
                    "amiType",
                    "capacityType",
                    "instanceTypes",
                    "labels",
                    "scalingConfig",
                    "updateConfig",
                    "releaseVersion",
                    "status",
                )
            },
            "arn": live["nodegroupArn"],
            "resources": [{"autoscalingGroups": [{"name": each["name"]} for each in groups]}],
        }
        return {key: value for key, value in outputs.items() if value is not None}, dict(live.get("tags") or {})

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it, which drains its machines, and wait until it is gone."""
        self.aws.eks.delete_nodegroup(**_where(id))
        self.await_gone(id, call=call)


def _where(id: str) -> dict[str, str]:
    cluster, _, name = id.partition(":")
    return {"clusterName": cluster, "nodegroupName": name}
