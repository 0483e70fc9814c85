"""Add-ons: only EKS' records of them. None runs here: the sandbox has its own pod network and proxy."""

from typing import Any

from moto.core.utils import utcnow
from moto.eks.exceptions import InvalidParameterException, ResourceInUseException
from moto.eks.models import Cluster
from moto.eks.responses import EKSResponse
from moto.moto_api._internal import mock_random

from sandbox.aws.eks.operations import Parameters, found, kept, operation, updated

NAMES = ("vpc-cni", "coredns", "kube-proxy", "metrics-server", "eks-pod-identity-agent", "aws-ebs-csi-driver")
"""The names of the add-ons that the sandbox's EKS accepts; it accepts any version."""

_SETTINGS = ("addonVersion", "serviceAccountRoleArn", "configurationValues", "podIdentityAssociations")


def patch_moto() -> None:
    """Add the operations on add-ons."""

    @operation("create_addon", "addonName", "resolveConflicts", "tags", *_SETTINGS)
    def create_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        name = given["addonName"]
        if name not in NAMES:
            raise InvalidParameterException(message=f"Addon {name} specified is not supported")
        if name in addons(cluster):
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
        }
        _set(cluster, addon, given)
        if "addonVersion" not in addon:
            raise InvalidParameterException(
                message="The sandbox's EKS has no default versions: addonVersion is required"
            )
        addons(cluster)[name] = addon
        return {"addon": addon}

    @operation("describe_addon", "addonName")
    def describe_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"addon": found(addons(cluster), given["addonName"], "addon")}

    @operation("list_addons", "maxResults", "nextToken")
    def list_addons(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"addons": sorted(addons(cluster))}

    @operation("update_addon", "addonName", "resolveConflicts", *_SETTINGS)
    def update_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        addon = found(addons(cluster), given["addonName"], "addon")
        _set(cluster, addon, given)
        addon["modifiedAt"] = utcnow()
        return updated(cluster, "AddonUpdate", {setting: given[setting] for setting in _SETTINGS if setting in given})

    @operation("delete_addon", "addonName", "preserve")
    def delete_addon(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        addon = found(addons(cluster), given["addonName"], "addon")
        _set(cluster, addon, {"podIdentityAssociations": []})
        del addons(cluster)[given["addonName"]]
        return {"addon": addon}

    @operation("describe_pod_identity_association", "associationId")
    def describe_pod_identity_association(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"association": found(_identities(cluster), given["associationId"], "association")}

    @operation("list_pod_identity_associations", "namespace", "serviceAccount", "maxResults", "nextToken")
    def list_pod_identity_associations(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        wanted = {name: given[name] for name in ("namespace", "serviceAccount") if name in given}
        return {"associations": [each for each in _identities(cluster).values() if wanted.items() <= each.items()]}


def _set(cluster: Cluster, addon: dict[str, Any], given: Parameters) -> None:
    """Apply the given settings to an add-on; its pod identity associations are resources of their own."""
    addon |= {setting: given[setting] for setting in _SETTINGS if setting in given}
    if "podIdentityAssociations" not in given:
        return
    some = _identities(cluster)
    for id in [id for id, each in some.items() if each["ownerArn"] == addon["addonArn"]]:
        del some[id]
    arns = []
    for asked in given["podIdentityAssociations"]:
        id = f"a-{mock_random.get_random_hex(17)}"
        arn = cluster.arn.replace(":cluster/", ":podidentityassociation/") + f"/{id}"
        now = utcnow()
        some[id] = {
            **asked,
            "clusterName": cluster.name,
            "namespace": "kube-system",
            "associationArn": arn,
            "associationId": id,
            "ownerArn": addon["addonArn"],
            "tags": {},
            "createdAt": now,
            "modifiedAt": now,
        }
        arns.append(arn)
    addon["podIdentityAssociations"] = arns


def _identities(cluster: Cluster) -> dict[str, Any]:
    return kept(cluster, "sandbox_identities")


def addons(cluster: Cluster) -> dict[str, Any]:
    """Return a cluster's add-ons, by their names."""
    return kept(cluster, "sandbox_addons")
