"""Clusters: one at a time, with the endpoint and authority of the sandbox's API server."""

import base64
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.eks.exceptions import InvalidParameterException, InvalidRequestException, ResourceNotFoundException
from moto.eks.models import Cluster, EKSBackend
from moto.eks.responses import EKSResponse

from sandbox import addresses
from sandbox.aws import iam
from sandbox.aws.eks import access, addons
from sandbox.aws.eks.operations import Parameters, found, kept, operation, parameters, updated, updates
from sandbox.aws.patch import patch
from sandbox.layout import Layout

OLDEST, NEWEST = 31, 36
"""The minor versions of Kubernetes 1 that CreateCluster accepts; the API server's own version does not change."""

_KNOWN = (
    "version",
    "roleArn",
    "resourcesVpcConfig",
    "kubernetesNetworkConfig",
    "logging",
    "tags",
    "encryptionConfig",
    "accessConfig",
    "bootstrapSelfManagedAddons",
    "upgradePolicy",
    "deletionProtection",
    "computeConfig",
    "storageConfig",
)

_CONFIG = {
    "resourcesVpcConfig": ("resources_vpc_config", "EndpointAccessUpdate"),
    "logging": ("logging", "LoggingUpdate"),
    "accessConfig": ("access_config", "AccessConfigUpdate"),
    "upgradePolicy": ("upgrade_policy", "UpgradePolicyUpdate"),
    "deletionProtection": ("deletion_protection", "DeletionProtectionUpdate"),
}
"""By parameter of UpdateClusterConfig: the attribute it changes, and the type of the update."""


def patch_moto(layout: Layout) -> None:
    """Make clusters and their updates behave as in EKS."""
    _patch_creation(layout)
    _patch_deletion(layout)
    _patch_updates()
    _patch_tags()


def _patch_creation(layout: Layout) -> None:
    """Make CreateCluster return the API server's endpoint and authority, a security group, and AWS's defaults.

    https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html
    """
    describe = EKSBackend.describe_cluster

    def create_cluster(self: EKSResponse) -> ActionResult:
        given = parameters(self, _KNOWN)
        _refuse_auto_mode(given)
        backend = self.eks_backend
        if backend.clusters and given["name"] not in backend.clusters:
            raise InvalidRequestException(
                message=f"The sandbox has one API server, and the cluster {', '.join(backend.clusters)} uses it."
            )
        version = given.get("version") or "1.34"
        if version not in [f"1.{minor}" for minor in range(OLDEST, NEWEST + 1)]:
            raise InvalidParameterException(message=f"unsupported Kubernetes version {version}")
        network = given["resourcesVpcConfig"]
        subnets = ec2_backends[self.current_account][self.region].describe_subnets(network["subnetIds"])
        if len({subnet.availability_zone for subnet in subnets}) < 2:
            raise InvalidParameterException(message="Subnets specified must be in at least two different AZs")
        made = backend.create_cluster(
            name=given["name"],
            version=version,
            role_arn=given["roleArn"],
            resources_vpc_config={
                "endpointPublicAccess": True,
                "endpointPrivateAccess": False,
                "publicAccessCidrs": ["0.0.0.0/0"],
                "securityGroupIds": [],
                **network,
                "vpcId": subnets[0].vpc_id,
            },
            kubernetes_network_config={
                "serviceIpv4Cidr": addresses.SERVICE_NETWORK,
                "ipFamily": "ipv4",
                **(given.get("kubernetesNetworkConfig") or {}),
            },
            logging=given.get("logging"),
            tags=given.get("tags"),
            encryption_config=given.get("encryptionConfig"),
        )
        made.endpoint = addresses.API_SERVER
        asked: dict[str, Any] = given.get("accessConfig") or {}
        kept(made, "access_config")["authenticationMode"] = asked.get("authenticationMode", "CONFIG_MAP")
        patch(made, "upgrade_policy", given.get("upgradePolicy") or {"supportType": "EXTENDED"})
        patch(made, "deletion_protection", bool(given.get("deletionProtection")))
        made.resources_vpc_config["clusterSecurityGroupId"] = _security_group(self, made)
        if asked.get("bootstrapClusterCreatorAdminPermissions", True):
            who = iam.signer(self.current_account, url=self.uri, headers=self.headers)
            access.bootstrap(layout, made, who.principal)
        access.publish(layout, made)
        return ActionResult({"cluster": backend.describe_cluster(made.name)})

    def describe_cluster(self: EKSBackend, name: str) -> Cluster:
        cluster = describe(self, name)
        # Read each time: the authority may have been renewed.
        cluster.certificate_authority = {"data": base64.b64encode(layout.ca.read_bytes()).decode()}
        return cluster

    patch(EKSResponse, "create_cluster", create_cluster)
    patch(EKSBackend, "describe_cluster", describe_cluster)


def _refuse_auto_mode(given: Parameters) -> None:
    """Refuse EKS Auto Mode: its switches for compute, storage and load balancing must be off."""
    for name, config in (
        ("computeConfig", given.get("computeConfig")),
        ("storageConfig", given.get("storageConfig")),
        ("elasticLoadBalancing", (given.get("kubernetesNetworkConfig") or {}).get("elasticLoadBalancing")),
    ):
        if not _is_off(config):
            raise InvalidParameterException(message=f"The sandbox's EKS does not implement {name}: no Auto Mode.")


def _is_off(config: Any) -> bool:
    """Return whether every value in a configuration is false or empty."""
    return all(map(_is_off, config.values())) if isinstance(config, dict) else not config


def _security_group(request: EKSResponse, cluster: Cluster) -> str:
    """Make the security group of control plane and nodes, which EKS deletes with the cluster; return its id."""
    group = ec2_backends[request.current_account][request.region].create_security_group(
        name=f"eks-cluster-sg-{cluster.name}",
        description="EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
        vpc_id=cluster.resources_vpc_config["vpcId"],
        tags={"aws:eks:cluster-name": cluster.name, f"kubernetes.io/cluster/{cluster.name}": "owned"},
    )
    return str(group.id)


def _patch_deletion(layout: Layout) -> None:
    """Make DeleteCluster respect the deletion protection, and delete what EKS made with the cluster."""
    delete = EKSResponse.delete_cluster

    def delete_cluster(self: EKSResponse) -> ActionResult:
        cluster = self.eks_backend.describe_cluster(str(self._get_param("name")))
        if getattr(cluster, "deletion_protection", False):
            raise InvalidRequestException(
                message="Cannot delete cluster because deletion protection is enabled on the cluster"
            )
        answer = delete(self)
        access.withdraw(layout, cluster)
        ec2_backends[self.current_account][self.region].delete_security_group(
            group_id=cluster.resources_vpc_config["clusterSecurityGroupId"]
        )
        return answer

    patch(EKSResponse, "delete_cluster", delete_cluster)


def _patch_updates() -> None:
    """Make changes of a cluster return an update, and merge the given values with the present ones."""

    @operation("update_cluster_config", *_CONFIG)
    def update_cluster_config(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        kinds = [name for name in _CONFIG if given.get(name) is not None]
        if len(kinds) != 1:
            raise InvalidParameterException(message="Exactly one kind of configuration can be updated at a time.")
        attribute, kind = _CONFIG[kinds[0]]
        before, asked = getattr(cluster, attribute), given[kinds[0]]
        after = {**before, **asked} if isinstance(before, dict) else asked
        if after == before:
            raise InvalidParameterException(message=f"No changes needed for the {kinds[0]} provided")
        if isinstance(asked, dict) and asked.keys() & {"subnetIds", "securityGroupIds"}:
            kind = "VpcConfigUpdate"
        patch(cluster, attribute, after)
        return updated(cluster, kind, asked if isinstance(asked, dict) else {kinds[0]: asked})

    @operation("update_cluster_version", "version", "force")
    def update_cluster_version(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        before, after = cluster.version, given["version"]
        if int(after.partition(".")[2]) != int(before.partition(".")[2]) + 1 or after > f"1.{NEWEST}":
            raise InvalidParameterException(
                message=f"Unsupported Kubernetes minor version update from {before} to {after}"
            )
        cluster.version = after
        return updated(cluster, "VersionUpdate", {"version": after})

    @operation("associate_encryption_config", "encryptionConfig")
    def associate_encryption_config(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        if cluster.encryption_config:
            raise InvalidParameterException(message="Encryption is already enabled for the cluster")
        cluster.encryption_config = given["encryptionConfig"]
        return updated(cluster, "AssociateEncryptionConfig", {"encryptionConfig": given["encryptionConfig"]})

    @operation("describe_update", "updateId", "addonName")
    def describe_update(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"update": found(updates(cluster), given["updateId"], "update")}

    @operation("list_updates", "addonName", "maxResults", "nextToken")
    def list_updates(cluster: Cluster, given: Parameters, _: EKSResponse) -> Parameters:
        return {"updateIds": sorted(updates(cluster))}


def _patch_tags() -> None:
    """Allow tags on node groups, add-ons and access entries: moto has them only on clusters."""

    def tags(request: EKSResponse) -> dict[str, str]:
        arn = request._extract_arn_from_path()
        for each in request.eks_backend.clusters.values():
            by_arn = {each.arn: each.tags} | {group.arn: group.tags for group in each.nodegroups.values()}
            by_arn |= {addon["addonArn"]: addon["tags"] for addon in addons.addons(each).values()}
            by_arn |= {entry["accessEntryArn"]: entry["tags"] for entry in access.entries(each).values()}
            if arn in by_arn:
                return by_arn[arn]
        raise ResourceNotFoundException(message=f"Resource was not found: {arn}")

    def tag_resource(self: EKSResponse) -> ActionResult:
        tags(self).update(self._get_param("tags"))
        return EmptyResult()

    def untag_resource(self: EKSResponse) -> ActionResult:
        some = tags(self)
        for name in self.querystring["tagKeys"]:
            some.pop(name, None)
        return EmptyResult()

    patch(EKSResponse, "tag_resource", tag_resource)
    patch(EKSResponse, "untag_resource", untag_resource)
    patch(EKSResponse, "list_tags_for_resource", lambda self: ActionResult({"tags": tags(self)}))
