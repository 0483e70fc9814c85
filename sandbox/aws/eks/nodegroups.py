"""Managed node groups: the sandbox's only node belongs to the oldest group."""

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidParameterException
from moto.eks.models import Cluster
from moto.eks.responses import EKSResponse

from sandbox import addresses
from sandbox.aws.eks import access
from sandbox.aws.eks.control_plane import kubernetes
from sandbox.aws.eks.operations import Parameters, found, operation, parameters, updated
from sandbox.aws.patch import patch
from sandbox.layout import Layout

_LABEL = "eks.amazonaws.com/nodegroup"

_KNOWN = (
    "scalingConfig",
    "diskSize",
    "subnets",
    "instanceTypes",
    "amiType",
    "nodeRole",
    "labels",
    "taints",
    "tags",
    "launchTemplate",
    "capacityType",
    "version",
    "releaseVersion",
    "updateConfig",
)


def patch_moto(layout: Layout) -> None:
    """Make node groups behave as in EKS, and own the sandbox's node."""
    delete, list_ = EKSResponse.delete_nodegroup, EKSResponse.list_nodegroups

    def create_nodegroup(self: EKSResponse) -> ActionResult:
        given = parameters(self, _KNOWN)
        cluster = self.eks_backend.describe_cluster(given["clusterName"])
        version = given.get("version") or cluster.version
        if version > cluster.version:
            raise InvalidParameterException(
                message=f"Requested Nodegroup version {version} is greater than the cluster version {cluster.version}"
            )
        template = given.get("launchTemplate")
        made = self.eks_backend.create_nodegroup(
            cluster_name=cluster.name,
            nodegroup_name=given["nodegroupName"],
            scaling_config=given.get("scalingConfig"),
            disk_size=given.get("diskSize"),
            subnets=given["subnets"],
            instance_types=given.get("instanceTypes"),
            ami_type=given.get("amiType") or "AL2023_x86_64_STANDARD",
            node_role=given["nodeRole"],
            labels=given.get("labels"),
            taints=given.get("taints"),
            tags=given.get("tags"),
            launch_template=template,
            capacity_type=given.get("capacityType"),
            version=version,
            release_version=given.get("releaseVersion") or release(version),
        )
        # A launch template's own disk and instance type count, and remote access is off unless requested.
        patch(made, "remote_access", None)
        if template:
            patch(made, "disk_size", None)
            patch(made, "instance_types", given.get("instanceTypes") or [])
        made.resources.pop("remoteAccessSecurityGroup", None)
        made.update_config = given.get("updateConfig") or {"maxUnavailable": 1}
        access.admit_nodes(cluster, given["nodeRole"])
        access.publish(layout, cluster)
        _own_node(layout, cluster, self.current_account)
        return ActionResult({"nodegroup": made})

    def delete_nodegroup(self: EKSResponse) -> ActionResult:
        cluster = self.eks_backend.describe_cluster(str(self._get_param("name")))
        answer = delete(self)
        _own_node(layout, cluster, self.current_account)
        return answer

    def list_nodegroups(self: EKSResponse) -> ActionResult:
        # Where there is no cluster, EKS says so, and moto fails.
        self.eks_backend.describe_cluster(str(self._get_param("name")))
        return list_(self)

    patch(EKSResponse, "create_nodegroup", create_nodegroup)
    patch(EKSResponse, "list_nodegroups", list_nodegroups)
    patch(EKSResponse, "delete_nodegroup", delete_nodegroup)

    @operation("update_nodegroup_config", "labels", "taints", "scalingConfig", "updateConfig")
    def update_nodegroup_config(cluster: Cluster, given: Parameters, request: EKSResponse) -> Parameters:
        group = found(cluster.nodegroups, given["nodegroupName"], "node group")
        size = {**group.scaling_config, **given.get("scalingConfig", {})}
        low, desired, high = size["minSize"], size["desiredSize"], size["maxSize"]
        if not low <= desired <= high:
            what = f"Minimum capacity {low}" if low > desired else f"Desired size {desired}"
            more = f"desired size {desired}" if low > desired else f"maximum capacity {high}"
            raise InvalidParameterException(message=f"{what} can't be greater than {more}")
        request.eks_backend.update_nodegroup_config(
            cluster_name=cluster.name,
            nodegroup_name=given["nodegroupName"],
            labels=given.get("labels"),
            taints=given.get("taints"),
            scaling_config=given.get("scalingConfig"),
            update_config=given.get("updateConfig"),
        )
        _own_node(layout, cluster, request.current_account)
        named = {name: value for name, value in given.items() if name in ("labels", "taints", "scalingConfig")}
        return updated(cluster, "ConfigUpdate", named)

    @operation("update_nodegroup_version", "version", "releaseVersion", "launchTemplate", "force")
    def update_nodegroup_version(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        group = found(cluster.nodegroups, given["nodegroupName"], "node group")
        version = given.get("version") or group.version
        if version > cluster.version:
            raise InvalidParameterException(
                message=f"Requested Nodegroup version {version} is greater than the cluster version {cluster.version}"
            )
        group.version, group.release_version = version, given.get("releaseVersion") or release(version)
        if given.get("launchTemplate"):
            group.launch_template = {**(group.launch_template or {}), **given["launchTemplate"]}
        return updated(cluster, "VersionUpdate", {"version": version, "releaseVersion": group.release_version})


def release(version: str) -> str:
    """Return the newest release of the nodes' image for a Kubernetes version."""
    return f"{version}.4-20261101"


def _own_node(layout: Layout, cluster: Cluster, account: str) -> None:
    """Label the node in Kubernetes, and tag its instance in EC2, as a machine of the oldest group."""
    first: Any = next(iter(cluster.nodegroups.values()), None)
    labels = {} if first is None else {**first.labels, _LABEL: first.nodegroup_name}
    content = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": addresses.NODE, "labels": labels}}
    kubernetes(layout, "PATCH", f"/api/v1/nodes/{addresses.NODE}", content)
    ec2 = ec2_backends[account][addresses.REGION]
    reservations = ec2.describe_instances(filters={"private-ip-address": [addresses.NODE_ADDRESS]})
    instance = reservations[0].instances[0].id
    if first is None:
        ec2.delete_tag_keys([instance], ["eks:cluster-name", "eks:nodegroup-name"])
    else:
        ec2.create_tags([instance], {"eks:cluster-name": cluster.name, "eks:nodegroup-name": first.nodegroup_name})
