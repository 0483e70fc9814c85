"""Who may enter a cluster: access entries and the policies on them."""

from typing import ClassVar

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.aws.eks.thing import GONE, EksThing
from sandbox.plugins.aws.thing import Seen, Thing
from sandbox.plugins.resource import Call, PluginError, ResourceType
from sandbox.plugins.values import Properties, adjusted


class AccessEntry(Thing):
    """That an IAM principal is somebody in Kubernetes; its id is the cluster's name, a colon and the principal."""

    token = "aws:eks/accessEntry:AccessEntry"
    title, gone, named = "EKS Access Entry", GONE, ""
    inputs: ClassVar = {
        "clusterName": str,
        "principalArn": str,
        "type": str,
        "userName": str,
        "kubernetesGroups": [str],
        "tags": dict,
    }
    required = frozenset({"clusterName", "principalArn"})
    computed = frozenset({"accessEntryArn", "createdAt", "modifiedAt", "tagsAll"})
    filled_in = frozenset({"userName"})
    replace_on = frozenset({"clusterName", "principalArn", "type"})
    names: ClassVar = {"userName": "username", "kubernetesGroups": "kubernetesGroups"}

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the kind for people and programs; the others are machines."""
        return {"type": "STANDARD"} | inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Take the groups as a set."""
        return adjusted(inputs, kubernetesGroups=sorted)

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        asked = {theirs: inputs[ours] for ours, theirs in self.names.items() if inputs.get(ours)}
        self.aws.eks.create_access_entry(
            clusterName=inputs["clusterName"],
            principalArn=inputs["principalArn"],
            type=inputs["type"],
            **asked,
            **({"tags": tags} if tags else {}),
        )
        return f"{inputs['clusterName']}:{inputs['principalArn']}"

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Change whom it is."""
        asked = {theirs: inputs[ours] for ours, theirs in self.names.items() if inputs.get(ours) is not None}
        if any(inputs.get(each) != state.get(each) for each in self.names):
            self.aws.eks.update_access_entry(**_where(id), **asked)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        live = self.aws.eks.describe_access_entry(**_where(id))["accessEntry"]
        outputs = {
            "clusterName": live["clusterName"],
            "principalArn": live["principalArn"],
            "type": live["type"],
            "userName": live["username"],
            "kubernetesGroups": live.get("kubernetesGroups", []),
            "accessEntryArn": live["accessEntryArn"],
            "createdAt": live["createdAt"].isoformat(),
            "modifiedAt": live["modifiedAt"].isoformat(),
        }
        return outputs, dict(live.get("tags") or {})

    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags."""
        EksThing.tag(self, id, state={"arn": state["accessEntryArn"]}, add=add, remove=remove)  # type: ignore[arg-type]

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it, and with it the policies on it."""
        self.aws.eks.delete_access_entry(**_where(id))


class AccessPolicyAssociation(ResourceType):
    """That the principal of an access entry has one of EKS' policies; its id is all three, with # in between."""

    token = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
    inputs: ClassVar = {
        "clusterName": str,
        "principalArn": str,
        "policyArn": str,
        "accessScope": {"type": str, "namespaces": [str]},
    }
    required = frozenset(inputs)
    computed = frozenset({"associatedAt", "modifiedAt"})
    replace_on = required

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.eks = aws.eks

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Give it."""
        id = "#".join(inputs[each] for each in ("clusterName", "principalArn", "policyArn"))
        with doing(f"creating EKS Access Policy Association ({id})"):
            self.eks.associate_access_policy(**{each: inputs[each] for each in self.inputs})
        outputs = self.read(id, state=inputs, call=call)
        if outputs is None:
            raise PluginError(f"EKS Access Policy Association ({id}) was written and is not there, run it again")
        return id, outputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look it up among those of the entry."""
        cluster, principal, policy = id.split("#")
        with unless(*GONE), doing(f"reading EKS Access Policy Association ({id})"):
            pages = self.eks.get_paginator("list_associated_access_policies").paginate(
                clusterName=cluster, principalArn=principal
            )
            for each in (each for page in pages for each in page["associatedAccessPolicies"]):
                if each["policyArn"] == policy:
                    scope = each["accessScope"]
                    namespaces = {"namespaces": scope["namespaces"]} if scope.get("namespaces") else {}
                    return {
                        "clusterName": cluster,
                        "principalArn": principal,
                        "policyArn": policy,
                        "accessScope": {"type": scope["type"], **namespaces},
                        "associatedAt": each["associatedAt"].isoformat(),
                        "modifiedAt": each["modifiedAt"].isoformat(),
                    }
        return None

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Take it away."""
        with unless(*GONE), doing(f"deleting EKS Access Policy Association ({id})"):
            self.eks.disassociate_access_policy(
                **{each: state[each] for each in ("clusterName", "principalArn", "policyArn")}
            )


def _where(id: str) -> dict[str, str]:
    cluster, _, principal = id.partition(":")
    return {"clusterName": cluster, "principalArn": principal}
