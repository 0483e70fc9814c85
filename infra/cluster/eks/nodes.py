"""The managed node groups: machines that EKS creates, replaces and drains."""

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from infra.cluster.eks.roles import ServiceRole
from infra.cluster.eks.settings import EksNodeGroup
from infra.settings.machines import machine_platform

AMI_TYPES = {"linux/amd64": "AL2023_x86_64_STANDARD", "linux/arm64": "AL2023_ARM_64_STANDARD"}
"""EKS' own images of Amazon Linux 2023, by platform."""

ROOT_DEVICE = "/dev/xvda"
"""The root device of these images."""

POLICIES = ("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly")
"""The policies to join the cluster and to pull from ECR. The pod network has its own role."""


class Nodes(pulumi.ComponentResource):
    """All node groups of the cluster, and the role of their machines."""

    groups: Sequence[pulumi.Resource]

    def __init__(
        self,
        name: str,
        *,
        groups: Sequence[EksNodeGroup],
        cluster_name: pulumi.Input[str],
        version: pulumi.Input[str],
        subnet_ids: Mapping[str, pulumi.Input[str]],
        after: Sequence[pulumi.Resource],
        region: str,
        tags: Mapping[str, str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them in the subnets, given by zone; `after` is what a machine needs to become a node."""
        super().__init__("ejemplo-django:infra:EksNodes", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        role = ServiceRole(f"{name}-nodes", service="ec2.amazonaws.com", policies=POLICIES, region=region, opts=child)
        self.groups = [
            self._group(
                f"{name}-{group.name}",
                group=group,
                cluster_name=cluster_name,
                version=version,
                subnet_ids=[subnet_ids[zone] for zone in group.zones],
                role_arn=role.arn,
                after=[*after, *role.policies],
                tags=tags,
            )
            for group in groups
        ]
        self.register_outputs({})

    def _group(
        self,
        name: str,
        *,
        group: EksNodeGroup,
        cluster_name: pulumi.Input[str],
        version: pulumi.Input[str],
        subnet_ids: Sequence[pulumi.Input[str]],
        role_arn: pulumi.Input[str],
        after: Sequence[pulumi.Resource],
        tags: Mapping[str, str],
    ) -> aws.eks.NodeGroup:
        # The provider's default tags do not reach what an auto scaling group creates.
        machine_tags: dict[str, pulumi.Input[str]] = {
            **tags,
            "Name": pulumi.Output.concat(cluster_name, "-", group.name),
        }
        template = aws.ec2.LaunchTemplate(
            name,
            update_default_version=True,
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                # One hop ends at the machine: no pod can use its role. Pods that need a role have an identity.
                http_put_response_hop_limit=1,
            ),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=ROOT_DEVICE,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_type="gp3",
                        volume_size=group.disk_gib,
                        # With the account's default key for EBS, which auto scaling may use without a grant.
                        encrypted="true",
                        delete_on_termination="true",
                    ),
                )
            ],
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=machine_tags)
                for kind in ("instance", "volume")
            ],
            opts=pulumi.ResourceOptions(parent=self),
        )
        return aws.eks.NodeGroup(
            name,
            cluster_name=cluster_name,
            version=version,
            node_role_arn=role_arn,
            subnet_ids=subnet_ids,
            ami_type=AMI_TYPES[machine_platform(group.machine_type)],
            instance_types=[group.machine_type],
            capacity_type="SPOT" if group.spot else "ON_DEMAND",
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=group.min,
                max_size=group.max,
                desired_size=group.min if group.desired is None else group.desired,
            ),
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable=1),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=after,
                ignore_changes=["scalingConfig.desiredSize"] if group.scaled else None,
            ),
        )
