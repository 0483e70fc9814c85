"""EKS clusters: the control plane."""

from typing import Any, ClassVar

from sandbox.plugins.aws.eks.thing import EksThing
from sandbox.plugins.aws.thing import Seen
from sandbox.plugins.resource import Call, InvalidInputError
from sandbox.plugins.schema import Schema
from sandbox.plugins.values import Properties, adjusted, is_known

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
_VPC: dict[str, Schema] = {
    "subnetIds": [str],
    "securityGroupIds": [str],
    "endpointPrivateAccess": bool,
    "endpointPublicAccess": bool,
    "publicAccessCidrs": [str],
}


class Cluster(EksThing):
    """A cluster; its id is its name."""

    token = "aws:eks/cluster:Cluster"
    title, named = "EKS Cluster", "name"
    seconds = (30 * 60.0, 60 * 60.0, 15 * 60.0)
    inputs: ClassVar = {
        "name": str,
        "version": str,
        "roleArn": str,
        "vpcConfig": _VPC,
        "kubernetesNetworkConfig": {"ipFamily": str, "serviceIpv4Cidr": str},
        "accessConfig": {"authenticationMode": str, "bootstrapClusterCreatorAdminPermissions": bool},
        "encryptionConfig": {"provider": {"keyArn": str}, "resources": [str]},
        "enabledClusterLogTypes": [str],
        "upgradePolicy": {"supportType": str},
        "bootstrapSelfManagedAddons": bool,
        "deletionProtection": bool,
        "tags": dict,
    }
    required = frozenset({"roleArn", "vpcConfig"})
    computed = frozenset({"arn", "endpoint", "certificateAuthority", "identities", "platformVersion", "status"}) | {
        "createdAt",
        "tagsAll",
    }
    filled_in = frozenset({"version", "kubernetesNetworkConfig", "accessConfig", "upgradePolicy"})
    replace_on = frozenset(
        {
            "name",
            "roleArn",
            "kubernetesNetworkConfig",
            "bootstrapSelfManagedAddons",
            "encryptionConfig",
            "accessConfig.bootstrapClusterCreatorAdminPermissions",
        }
    )

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the name and the official provider's defaults."""
        subnets = inputs["vpcConfig"].get("subnetIds") if is_known(inputs["vpcConfig"]) else None
        if subnets is not None and len(subnets) < 1:
            raise InvalidInputError("vpcConfig.subnetIds", "EKS needs subnets in two zones or more")
        return {"bootstrapSelfManagedAddons": True} | super().check(inputs, old=old, call=call)

    def comparable(self, inputs: Properties) -> Properties:
        """Take the lists as sets."""
        sets = dict.fromkeys(("subnetIds", "securityGroupIds", "publicAccessCidrs"), sorted)
        return adjusted(inputs, enabledClusterLogTypes=sorted, vpcConfig=lambda network: adjusted(network, **sets))

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        """A first encryption is switched on in place."""
        return self.replace_on if old.get("encryptionConfig") else self.replace_on - {"encryptionConfig"}

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Ask for it."""
        names = {
            "name": "name",
            "version": "version",
            "roleArn": "roleArn",
            "kubernetesNetworkConfig": "kubernetesNetworkConfig",
            "accessConfig": "accessConfig",
            "upgradePolicy": "upgradePolicy",
            "bootstrapSelfManagedAddons": "bootstrapSelfManagedAddons",
            "deletionProtection": "deletionProtection",
        }
        asked: dict[str, Any] = {theirs: inputs[ours] for ours, theirs in names.items() if inputs.get(ours) is not None}
        asked["resourcesVpcConfig"] = {key: value for key, value in inputs["vpcConfig"].items() if value is not None}
        if encryption := inputs.get("encryptionConfig"):
            asked["encryptionConfig"] = [encryption]
        if logs := inputs.get("enabledClusterLogTypes"):
            asked["logging"] = _logging(logs)
        if tags:
            asked["tags"] = tags
        return str(self.aws.eks.create_cluster(**asked)["cluster"]["name"])

    def describe(self, id: str) -> dict[str, Any]:
        """Give it as EKS describes it."""
        found: dict[str, Any] = self.aws.eks.describe_cluster(name=id)["cluster"]
        return found

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Change what is another, each kind in an update of its own, as EKS wants it."""
        for update in self._updates(id, state, inputs):
            self.await_update(update, call=call, name=id)

    def _updates(self, id: str, state: Properties, inputs: Properties) -> Any:
        eks = self.aws.eks

        def other(name: str) -> bool:
            old, new = (self.comparable({name: each[name]}) if name in each else {} for each in (state, inputs))
            return new.get(name) is not None and old != new

        if other("version"):
            yield eks.update_cluster_version(name=id, version=inputs["version"])
        if other("encryptionConfig") and not state.get("encryptionConfig"):
            yield eks.associate_encryption_config(clusterName=id, encryptionConfig=[inputs["encryptionConfig"]])
        if other("enabledClusterLogTypes") or (state.get("enabledClusterLogTypes") and not _logs(inputs)):
            yield eks.update_cluster_config(name=id, logging=_logging(_logs(inputs)))
        if other("accessConfig"):
            mode = {"authenticationMode": inputs["accessConfig"]["authenticationMode"]}
            yield eks.update_cluster_config(name=id, accessConfig=mode)
        for name in ("upgradePolicy", "deletionProtection"):
            if other(name):
                yield eks.update_cluster_config(name=id, **{name: inputs[name]})
        before = self.comparable({"vpcConfig": state.get("vpcConfig") or {}})["vpcConfig"]
        after = self.comparable({"vpcConfig": inputs["vpcConfig"]})["vpcConfig"]
        for group in (("subnetIds", "securityGroupIds"), tuple(set(_VPC) - {"subnetIds", "securityGroupIds"})):
            if any(after.get(key) is not None and after[key] != before.get(key) for key in group):
                wanted = {key: after[key] for key in group if after.get(key) is not None}
                yield eks.update_cluster_config(name=id, resourcesVpcConfig=wanted)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        live = self.describe(id)
        network, kubernetes = live["resourcesVpcConfig"], live.get("kubernetesNetworkConfig", {})
        access = live.get("accessConfig") or {}
        enabled = [
            kind
            for each in live.get("logging", {}).get("clusterLogging", [])
            if each["enabled"]
            for kind in each["types"]
        ]
        issuer = live.get("identity", {}).get("oidc", {}).get("issuer")
        encryption = live.get("encryptionConfig") or []
        outputs = {
            "name": live["name"],
            "version": live["version"],
            "roleArn": live["roleArn"],
            "vpcConfig": {key: network[key] for key in _VPC if network.get(key) not in (None, [])}
            | {key: network[key] for key in ("vpcId", "clusterSecurityGroupId") if network.get(key)},
            "kubernetesNetworkConfig": {
                key: kubernetes[key] for key in ("ipFamily", "serviceIpv4Cidr") if kubernetes.get(key)
            },
            "accessConfig": {
                # EKS does not tell how the cluster's creator came in.
                **(state.get("accessConfig") or {}),
                **({"authenticationMode": access["authenticationMode"]} if "authenticationMode" in access else {}),
            },
            "encryptionConfig": {"provider": encryption[0]["provider"], "resources": encryption[0]["resources"]}
            if encryption
            else None,
            "enabledClusterLogTypes": sorted(enabled),
            "upgradePolicy": live.get("upgradePolicy"),
            "deletionProtection": live.get("deletionProtection", False),
            "bootstrapSelfManagedAddons": state.get("bootstrapSelfManagedAddons", True),
            "arn": live["arn"],
            "endpoint": live.get("endpoint", ""),
            "certificateAuthority": {"data": live.get("certificateAuthority", {}).get("data", "")},
            "identities": [{"oidcs": [{"issuer": issuer}]}] if issuer else [],
            "platformVersion": live.get("platformVersion", ""),
            "status": live["status"],
            "createdAt": live["createdAt"].isoformat(),
        }
        return {key: value for key, value in outputs.items() if value is not None}, dict(live.get("tags") or {})

    def live_inputs(self, outputs: Properties, *, old: Properties) -> Properties:
        """Leave out what EKS adds to the network's settings."""
        asked = (old.get("vpcConfig") or _VPC).keys() & _VPC.keys()
        network = {key: value for key, value in outputs["vpcConfig"].items() if key in asked}
        return super().live_inputs(outputs | {"vpcConfig": network}, old=old)

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it and wait until it is gone."""
        self.aws.eks.delete_cluster(name=id)
        self.await_gone(id, call=call)


def _logs(inputs: Properties) -> list[str]:
    return inputs.get("enabledClusterLogTypes") or []


def _logging(enabled: list[str]) -> dict[str, Any]:
    silent = [kind for kind in LOG_TYPES if kind not in enabled]
    kinds = {True: sorted(enabled), False: silent}
    return {"clusterLogging": [{"types": types, "enabled": on} for on, types in kinds.items() if types]}
