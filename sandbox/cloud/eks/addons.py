"""Add-ons: EKS' record of what it installs. The sandbox has a pod network and a proxy of its own, and runs none."""

from typing import Any

from moto.core.utils import utcnow
from moto.eks.exceptions import InvalidParameterException, ResourceInUseException
from moto.eks.models import Cluster
from moto.eks.responses import EKSResponse
from moto.moto_api._internal import mock_random

from sandbox.cloud.eks.operations import Parameters, found, kept, operation, updated

NAMES = ("vpc-cni", "coredns", "kube-proxy", "metrics-server", "eks-pod-identity-agent", "aws-ebs-csi-driver")
"""The add-ons that the sandbox's EKS knows by name; their versions it takes as given."""

_SETTINGS = ("addonVersion", "serviceAccountRoleArn", "configurationValues", "podIdentityAssociations")


def change_moto() -> None:
    """Add the operations on add-ons."""

    @operation("create_addon", "addonName", "resolveConflicts", "tags", *_SETTINGS)
    def create_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        name = given["addonName"]
        if name not in NAMES:
            raise InvalidParameterException(message=f"Addon {name} specified is not supported")
        if name in _addons(cluster):
            raise ResourceInUseException(message="Addon already exists.")
        now = utcnow()
        addon = {
            "addonName": name,
            "clusterName": cluster.name,
            "status": "ACTIVE",
            "health": {"issues": []},
            "addonArn": cluster.arn.replace(":cluster/", ":addon/") + f"/{name}/{mock_random.uuid4()}",
            "createdAt": now,
            "modifiedAt": now,
            "tags": given.get("tags") or {},
            **{setting: given[setting] for setting in _SETTINGS if given.get(setting)},
        }
        if "addonVersion" not in addon:
            raise InvalidParameterException(
                message="The sandbox's EKS has no default versions: addonVersion is required"
            )
        _addons(cluster)[name] = addon
        return {"addon": addon}

    @operation("describe_addon", "addonName")
    def describe_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"addon": found(_addons(cluster), given["addonName"], "addon")}

    @operation("list_addons", "maxResults", "nextToken")
    def list_addons(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"addons": sorted(_addons(cluster))}

    @operation("update_addon", "addonName", "resolveConflicts", *_SETTINGS)
    def update_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        addon = found(_addons(cluster), given["addonName"], "addon")
        asked = {setting: given[setting] for setting in _SETTINGS if setting in given}
        addon |= asked | {"modifiedAt": utcnow()}
        return updated(cluster, "AddonUpdate", asked)

    @operation("delete_addon", "addonName", "preserve")
    def delete_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        addon = found(_addons(cluster), given["addonName"], "addon")
        del _addons(cluster)[given["addonName"]]
        return {"addon": addon}


def _addons(cluster: Cluster) -> dict[str, Any]:
    return kept(cluster, "sandbox_addons")
