"""The settings of the driver `kops`."""

import re
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from infra.settings.machines import Apart, Groups, MachineType, NodeGroup, OnMachines, SomeZones, from_16_to, outside
from infra.settings.section import Section, expected, facts, must, refused, refused_within
from infra.settings.values import HostName, Network

KOPS_OLDEST, KOPS_NEWEST = 31, 36
"""The oldest and newest minor version of Kubernetes 1 that the driver supports. `kops reconcile` came with kops 1.31,
and a kops supports the Kubernetes of its own minor version and of a few before it (kops' channels/stable goes up to
1.36)."""

_CONTROL_PLANE_PREFIX = "control-plane-"


def _is_supported(version: str) -> bool:
    match = re.fullmatch(r"1\.([0-9]+)\.[0-9]+", version)
    return match is not None and KOPS_OLDEST <= int(match[1]) <= KOPS_NEWEST


Version = Annotated[
    str,
    expected(f"a Kubernetes version of three numbers in quotes, from 1.{KOPS_OLDEST} to 1.{KOPS_NEWEST}"),
    must(_is_supported),
]
# etcd needs a majority: an even number tolerates no more failures than one machine fewer.
Odd = Annotated[int, expected("an odd number from 1 to 7", ge=1, le=7), must(lambda count: count % 2)]
# A subnet is an eighth of it, and one for balancers an eighth of that.
Vpc = Annotated[Network, expected("an IPv4 network from /16 to /22 such as 10.0.0.0/16"), from_16_to(22)]
Networks = Annotated[
    tuple[Network, ...], expected("a list of one or more IPv4 networks such as 203.0.113.0/24", min_length=1)
]
Minutes = Annotated[int, expected("a whole number from 5 to 120", ge=5, le=120)]


Policy = Annotated[
    str,
    expected(
        "the ARN of an IAM policy: arn:aws:iam::...:policy/...",
        pattern=r"^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\w+=,.@/-]+$",
    ),
]


class ControlPlane(Section):
    """The machines that run the API server and etcd.

    None are spot instances: AWS would take them back, and etcd's data with them.
    """

    machine_type: MachineType = "t3.medium"
    """The EC2 machine type."""
    count: Odd = 1
    """The number of machines."""
    zones: SomeZones = Field(default=(), validate_default=False)
    """The zones, used in turn. Default: all zones of the cluster."""


class KopsSettings(OnMachines):
    """Driver `kops`: a cluster of EC2 machines, created, changed and deleted with the kops on PATH."""

    driver: Literal["kops"]
    """A cluster of EC2 machines, managed with the kops on PATH."""
    name: HostName
    """The cluster's name. It cannot be changed later."""
    kubernetes_version: Version
    """The Kubernetes version. kops must have the same minor version or a newer one."""
    control_plane: ControlPlane = Field(default_factory=ControlPlane)
    """The machines that run the API server and etcd."""
    nodes: Groups[NodeGroup]
    """The groups of machines for pods."""
    image: Annotated[str, expected("a string that is not empty", pattern=r"\S")] | None = None
    """The machines' image, as kops takes it. Default: the one that kops' channel recommends."""
    networking: Literal["amazonvpc", "calico", "cilium", "kindnet"] = "cilium"
    """The pod network: one that needs no further settings in kops and that kops still accepts for new clusters."""
    network_cidr: Vpc = "172.20.0.0/16"
    """The VPC's network."""
    cluster_cidr: Annotated[Network, Apart] = "100.64.0.0/10"
    """The network of the pods and the Services. It must not overlap `networkCidr`."""
    topology: Literal["public", "private"] = "public"
    """`public`: machines have public addresses. `private`: they have none, and reach out through a NAT gateway in each
    zone."""
    dns: Literal["none", "public"] = "none"
    """How clients reach the API. `none`: by the name of its load balancer. `public`: by api.<name>, in the hosted
    zone."""
    api_access: Networks = ("0.0.0.0/0",)
    """The networks that may reach the API."""
    ssh_access: tuple[Network, ...] = ()
    """The networks that may reach the machines by SSH."""
    container_registry: bool = True
    """Whether the machines may pull from ECR with their IAM role."""
    permissions_boundary: Policy | None = None
    """The ARN of the permissions boundary of the machines' IAM roles. Required to deploy with
    ops/policies/deploy-kops.json, which allows no roles without it."""
    apply: Literal["reconcile", "update-only", "manual"] = "reconcile"
    """What `up` does with a change. `reconcile`: replaces machines where kops says so. `update-only`: leaves running
    machines as they are. `manual`: only writes the new spec to the state bucket."""
    wait_minutes: Minutes = 20
    """Minutes to wait until the cluster is valid."""

    @field_validator("control_plane")
    @classmethod
    def _in_our_zones(cls, given: ControlPlane, info: ValidationInfo) -> ControlPlane:
        refused_within(outside(given.zones, info))
        return given if given.zones else given.model_copy(update={"zones": info.data.get("zones", ())})

    @field_validator("nodes")
    @classmethod
    def _apart_from_the_control_plane(cls, groups: tuple[NodeGroup, ...]) -> tuple[NodeGroup, ...]:
        words = f"a name without {_CONTROL_PLANE_PREFIX}, which the control plane uses"
        refused_within(
            ((index, "name"), each.name, refused(words))
            for index, each in enumerate(groups)
            if each.name.startswith(_CONTROL_PLANE_PREFIX)
        )
        return groups

    @field_validator("dns")
    @classmethod
    def _where_the_records_go(cls, dns: str, info: ValidationInfo) -> str:
        name, domain = info.data.get("name"), facts(info).domain
        if dns == "public" and name and domain and not name.endswith(f".{domain}"):
            raise refused(f"none: cluster.name, {name}, is not a name under {domain}, where the records would go")
        return dns

    @field_validator("container_registry")
    @classmethod
    def _for_ecr(cls, pulls: bool, info: ValidationInfo) -> bool:
        if not pulls and facts(info).registry_driver == "ecr":
            raise refused("true: with registry.driver ecr the nodes pull with their role")
        return pulls

    @property
    def identity(self) -> dict[str, str]:
        """The values that cannot change, by key: kops would make another cluster, or break its etcd.

        kops names etcd's members after their instance groups, and does not move a member to another group
        (https://kops.sigs.k8s.io/operations/etcd_administration/).
        """
        places = [
            self.control_plane.zones[each % len(self.control_plane.zones)] for each in range(self.control_plane.count)
        ]
        return {
            "cluster.driver": self.driver,
            "cluster.name": self.name,
            "cluster.networkCidr": self.network_cidr,
            "cluster.clusterCidr": self.cluster_cidr,
            "cluster.controlPlane": ", ".join(places),
        }
