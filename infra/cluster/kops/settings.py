"""The settings of the driver `kops`."""

import ipaddress
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.settings import machines
from infra.settings.machines import MachineType, NodeGroup, OnMachines, SomeZones
from infra.settings.section import Section, expected, facts, must, refused, refused_within
from infra.settings.values import HostName, Network

KOPS_OLDEST, KOPS_NEWEST = 31, 36
"""The minor versions of Kubernetes 1 that the driver takes. `kops reconcile` came with kops 1.31, and a kops makes the
Kubernetes of its own minor version and a few before it (kops' channels/stable goes up to 1.36)."""

_CONTROL_PLANE_PREFIX = "control-plane-"


def _is_supported(version: str) -> bool:
    match = re.fullmatch(r"1\.([0-9]+)\.[0-9]+", version)
    return match is not None and KOPS_OLDEST <= int(match[1]) <= KOPS_NEWEST


def _has_room(network: str) -> bool:
    # AWS allows a VPC /16 to /28; a subnet is an eighth of it, and one for balancers an eighth of that.
    return 16 <= ipaddress.ip_network(network).prefixlen <= 22


Version = Annotated[
    str,
    expected(f"a Kubernetes version of three numbers in quotes, from 1.{KOPS_OLDEST} to 1.{KOPS_NEWEST}"),
    must(_is_supported),
]
# etcd decides by majority: of an even number, one adds no safety.
Odd = Annotated[int, expected("an odd number from 1 to 7", ge=1, le=7), must(lambda count: count % 2)]
Vpc = Annotated[Network, expected("an IPv4 network from /16 to /22 such as 10.0.0.0/16"), must(_has_room)]
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
    """The machines that run the API server and etcd. None may be of spot: AWS takes those back, and etcd's data."""

    machine_type: MachineType = "t3.medium"
    """The EC2 machine type."""
    count: Odd = 1
    """How many machines."""
    zones: SomeZones = Field(default=(), validate_default=False)
    """Where they are put, one after the other and round again; all of the cluster's zones by default."""


class KopsSettings(OnMachines):
    """Driver `kops`: a cluster of EC2 machines, made, changed and deleted by the kops on PATH."""

    driver: Literal["kops"]
    """A cluster of EC2 machines, made by the official kops on PATH."""
    name: HostName
    """The cluster's identity, for ever."""
    kubernetes_version: Version
    """The version of Kubernetes; kops must be of the same minor version or newer."""
    control_plane: ControlPlane = Field(default_factory=ControlPlane)
    """The machines that run the API server and etcd."""
    nodes: Annotated[
        tuple[NodeGroup, ...], expected("a list of one or more objects", min_length=1), AfterValidator(machines.placed)
    ]
    """The groups of machines for pods."""
    image: Annotated[str, expected("a text that is not empty", pattern=r"\S")] | None = None
    """The machines' image as kops takes it; by default the one that kops' channel recommends."""
    networking: Literal["amazonvpc", "calico", "cilium", "kindnet"] = "cilium"
    """The pod network: one of those of kops' that need no setting of their own and still take new clusters."""
    network_cidr: Vpc = "172.20.0.0/16"
    """The VPC's network."""
    cluster_cidr: Network = "100.64.0.0/10"
    """The network of the pods and the Services, apart from `networkCidr`."""
    topology: Literal["public", "private"] = "public"
    """`private`: machines without a public address, behind a NAT gateway in each zone."""
    dns: Literal["none", "public"] = "none"
    """`none`: the API is reached by its balancer's name; `public`: by api.<name>, in the hosted zone."""
    api_access: Networks = ("0.0.0.0/0",)
    """The networks that may reach the API."""
    ssh_access: tuple[Network, ...] = ()
    """The networks that may reach the machines' SSH."""
    container_registry: bool = True
    """Whether the machines may pull from ECR by their IAM role."""
    permissions_boundary: Policy | None = None
    """The ARN of the policy that bounds the machines' IAM roles. Whoever deploys by ops/policies/deploy-kops.json must
    set it: they may make no other roles."""
    apply: Literal["reconcile", "update-only", "manual"] = "reconcile"
    """What `up` does with a change. `reconcile`: machines are replaced where kops says so; `update-only`: they are
    left; `manual`: the new spec is written to the state bucket, and no more."""
    wait_minutes: Minutes = 20
    """How many minutes the cluster may take to be valid."""

    @field_validator("control_plane")
    @classmethod
    def _in_our_zones(cls, given: ControlPlane, info: ValidationInfo) -> ControlPlane:
        refused_within(machines.outside(given.zones, info))
        return given if given.zones else given.model_copy(update={"zones": info.data.get("zones", ())})

    @field_validator("nodes")
    @classmethod
    def _apart_from_the_control_plane(cls, groups: tuple[NodeGroup, ...]) -> tuple[NodeGroup, ...]:
        words = f"a name without {_CONTROL_PLANE_PREFIX}, which the control plane has"
        refused_within(
            ((index, "name"), each.name, refused(words))
            for index, each in enumerate(groups)
            if each.name.startswith(_CONTROL_PLANE_PREFIX)
        )
        return groups

    @field_validator("cluster_cidr")
    @classmethod
    def _apart_from_the_vpc(cls, cluster: str, info: ValidationInfo) -> str:
        network = info.data.get("network_cidr")
        if network and ipaddress.ip_network(network).overlaps(ipaddress.ip_network(cluster)):
            raise refused(f"a network apart from networkCidr, {network}")
        return cluster

    @field_validator("dns")
    @classmethod
    def _where_the_records_go(cls, dns: str, info: ValidationInfo) -> str:
        name, domain = info.data.get("name"), facts(info).domain
        if dns == "public" and name and domain and not name.endswith(f".{domain}"):
            raise refused(f"none: cluster.name, {name}, is no name beneath {domain}, where the records would go")
        return dns

    @field_validator("container_registry")
    @classmethod
    def _for_ecr(cls, pulls: bool, info: ValidationInfo) -> bool:
        if not pulls and facts(info).registry_driver == "ecr":
            raise refused("true: with registry.driver ecr the nodes pull by their role")
        return pulls
