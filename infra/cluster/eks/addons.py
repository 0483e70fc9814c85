"""The add-ons that EKS runs in the cluster, in pinned versions."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from infra.cluster.eks.roles import ServiceRole

POD_IDENTITY = "pods.eks.amazonaws.com"
"""The service that gives a pod its IAM role."""


class Addons(pulumi.ComponentResource):
    """Some of the cluster's add-ons: those that nodes need are created before the first node, the others after."""

    addons: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        cluster_name: pulumi.Input[str],
        versions: Mapping[str, str],
        after: Sequence[pulumi.Resource],
        region: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare an add-on for each version; all wait for `after`."""
        super().__init__("ejemplo-django:infra:EksAddons", name, None, opts)
        child = pulumi.ResourceOptions(parent=self, depends_on=after)

        identities: dict[str, list[aws.eks.AddonPodIdentityAssociationArgs]] = {}
        if "vpc-cni" in versions:
            role = ServiceRole(
                f"{name}-vpc-cni",
                service=POD_IDENTITY,
                policies=["AmazonEKS_CNI_Policy"],
                actions=["sts:AssumeRole", "sts:TagSession"],
                region=region,
                opts=pulumi.ResourceOptions(parent=self),
            )
            identity = aws.eks.AddonPodIdentityAssociationArgs(role_arn=role.arn, service_account="aws-node")
            identities["vpc-cni"] = [identity]
            child = pulumi.ResourceOptions(parent=self, depends_on=[*after, *role.policies])
        self.addons = [
            aws.eks.Addon(
                f"{name}-{addon}",
                cluster_name=cluster_name,
                addon_name=addon,
                addon_version=version,
                pod_identity_associations=identities.get(addon),
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="OVERWRITE",
                opts=child,
            )
            for addon, version in versions.items()
        ]
        self.register_outputs({})
