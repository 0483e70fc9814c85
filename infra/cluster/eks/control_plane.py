"""The control plane: the EKS cluster, its logs, its encryption key and its administrators."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.cluster.eks.roles import ServiceRole, partition
from infra.cluster.eks.settings import EksSettings

LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
"""All log types of EKS."""

KEY_DELETION_DAYS = 30
"""Days for which a deleted key, and so what it encrypted, can be recovered: the maximum of KMS."""


class ControlPlane(pulumi.ComponentResource):
    """The cluster without nodes."""

    cluster_name: pulumi.Output[str]
    version: pulumi.Output[str]
    """The current Kubernetes version: what depends on it is never ahead of it."""
    endpoint: pulumi.Output[str]
    certificate_authority: pulumi.Output[str]
    """In base64, as a kubeconfig has it."""
    entries: Sequence[pulumi.Resource]
    """The access entries of the administrators."""

    def __init__(
        self,
        name: str,
        *,
        settings: EksSettings,
        subnet_ids: Sequence[pulumi.Input[str]],
        region: str,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it in the subnets.

        `protect` keeps Pulumi and EKS from deleting the cluster, and Pulumi from deleting the key of its secrets.
        """
        super().__init__("ejemplo-django:infra:EksControlPlane", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        role = ServiceRole(
            f"{name}-control-plane",
            service="eks.amazonaws.com",
            policies=["AmazonEKSClusterPolicy"],
            region=region,
            opts=child,
        )
        key = aws.kms.Key(
            name,
            description=f"Secrets of the EKS cluster {settings.name}",
            enable_key_rotation=True,
            deletion_window_in_days=KEY_DELETION_DAYS,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        aws.kms.Alias(name, name=f"alias/eks/{settings.name}", target_key_id=key.key_id, opts=child)
        # EKS logs to a group of this name, and would create one that keeps everything forever.
        logs = aws.cloudwatch.LogGroup(
            name, name=f"/aws/eks/{settings.name}/cluster", retention_in_days=settings.log_retention_days, opts=child
        )
        cluster = aws.eks.Cluster(
            name,
            name=settings.name,
            version=settings.kubernetes_version,
            role_arn=role.arn,
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=subnet_ids,
                endpoint_private_access=True,
                endpoint_public_access=bool(settings.api_access),
                public_access_cidrs=settings.api_access or None,
            ),
            kubernetes_network_config=aws.eks.ClusterKubernetesNetworkConfigArgs(
                ip_family="ipv4", service_ipv4_cidr=settings.service_cidr
            ),
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API",
                # The creator of the cluster has to deploy the app in the same run. This cannot be changed later, and
                # EKS manages the creator's entry; the others' are below.
                bootstrap_cluster_creator_admin_permissions=True,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=key.arn), resources=["secrets"]
            ),
            enabled_cluster_log_types=LOGS,
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type=settings.support),
            # The add-ons are declared separately, with their versions.
            bootstrap_self_managed_addons=False,
            deletion_protection=protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect, depends_on=[logs, *role.policies]),
        )
        entries: list[pulumi.Resource] = []
        for principal in settings.admins:
            _, _, _, _, account, who = principal.split(":")
            entry = aws.eks.AccessEntry(
                f"{name}-{account}-{who}", cluster_name=cluster.name, principal_arn=principal, opts=child
            )
            permission = aws.eks.AccessPolicyAssociation(
                f"{name}-{account}-{who}",
                cluster_name=cluster.name,
                principal_arn=entry.principal_arn,
                policy_arn=f"arn:{partition(region)}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                opts=child,
            )
            entries += [entry, permission]

        self.cluster_name, self.version, self.endpoint = cluster.name, cluster.version, cluster.endpoint
        self.certificate_authority = cluster.certificate_authority.data
        self.entries = entries
        self.register_outputs(
            {
                "cluster_name": self.cluster_name,
                "version": self.version,
                "endpoint": self.endpoint,
                "certificate_authority": self.certificate_authority,
            }
        )
