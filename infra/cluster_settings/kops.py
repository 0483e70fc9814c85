"""The settings of the driver `kops`: what they are, and how they are read and checked."""

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar

from infra import checks
from infra.balancer_kind import BalancerKind
from infra.cluster_settings import balancer, machines
from infra.cluster_settings.machines import NodeGroup
from infra.reading import Section

KOPS_OLDEST, KOPS_NEWEST = 31, 36
"""The minor versions of Kubernetes 1 that the driver kops takes. `kops reconcile` came with kops 1.31, and a kops
makes the Kubernetes of its own minor version and a few before it (kops' channels/stable goes up to 1.36)."""

NETWORKING = ("amazonvpc", "calico", "cilium", "kindnet")
"""The pod networks: those of kops' that need no setting of their own and still take new clusters."""

APPLY = ("reconcile", "update-only", "manual")
"""What `up` does with a change: `kops reconcile`, `kops update`, or the new spec in the store and no more."""

_CONTROL_PLANE_PREFIX = "control-plane-"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """The machines that run the API server and etcd."""

    machine_type: str
    count: int
    """Odd, for etcd's quorum."""
    zones: tuple[str, ...]
    """Where they are put, one after the other and round again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KopsSettings:
    """Driver `kops`: a cluster of EC2 machines, made, changed and deleted by the kops on PATH."""

    driver: ClassVar[str] = "kops"
    name: str
    kubernetes_version: str
    """Of three numbers, without a `v`."""
    zones: tuple[str, ...]
    control_plane: ControlPlane
    nodes: tuple[NodeGroup, ...]
    image: str | None
    """The machines' image as kops takes it; None for the one that kops' channel recommends."""
    networking: str
    """One of NETWORKING."""
    network_cidr: str
    """The VPC's."""
    cluster_cidr: str
    """Of the pods and the Services."""
    topology: str
    """`public`: machines with public addresses; `private`: none, and a NAT gateway in each zone."""
    dns: str
    """`none`: the API is reached by its balancer's name; `public`: by api.<name>, in the hosted zone."""
    api_access: tuple[str, ...]
    """The CIDRs that may reach the API."""
    ssh_access: tuple[str, ...]
    """The CIDRs that may reach the machines' SSH; empty for nobody."""
    container_registry: bool
    """Whether the machines' IAM role may pull from ECR."""
    permissions_boundary: str | None
    """The ARN of the policy that bounds the machines' IAM roles; None for no bounds."""
    apply: str
    """One of APPLY."""
    wait_minutes: int
    """How long kops waits for the cluster to be valid."""
    balancer: BalancerKind
    """What the cluster makes of a Service of type LoadBalancer."""


def read(section: Section, *, region: str, domain: str, platform: str) -> KopsSettings:
    """Read the settings of the driver `kops`, for a cluster in the region and an image of the platform."""
    zones = machines.zones(section, region=region)
    settings = KopsSettings(
        name=section.text("name", checks.host_name),
        kubernetes_version=section.text("kubernetesVersion", _kops_version),
        zones=zones,
        control_plane=_control_plane(section.section("controlPlane"), zones=zones),
        nodes=machines.node_groups(section, zones=zones, platform=platform, name=_group_name),
        image=section.text_or_none("image", checks.filled),
        networking=section.choice("networking", available=NETWORKING, default="cilium"),
        network_cidr=section.text("networkCidr", _network_cidr, default="172.20.0.0/16"),
        cluster_cidr=section.text("clusterCidr", checks.cidr, default="100.64.0.0/10"),
        topology=section.choice("topology", available=("public", "private"), default="public"),
        dns=section.choice("dns", available=("none", "public"), default="none"),
        api_access=section.list_of_texts("apiAccess", checks.cidr, default=("0.0.0.0/0",)),
        ssh_access=section.list_of_texts("sshAccess", checks.cidr, default=()),
        container_registry=section.boolean("containerRegistry", default=True),
        permissions_boundary=section.text_or_none("permissionsBoundary", _policy),
        apply=section.choice("apply", available=APPLY, default="reconcile"),
        wait_minutes=section.integer("waitMinutes", default=20, low=5, high=120),
        balancer=balancer.read(section),
    )
    _together(section, settings, domain=domain)
    return settings


def _control_plane(section: Section, *, zones: tuple[str, ...]) -> ControlPlane:
    control_plane = ControlPlane(
        machine_type=section.text("machineType", checks.machine_type, default="t3.medium"),
        count=section.integer("count", default=1, low=1, high=7),
        zones=machines.among(section, zones),
    )
    if control_plane.count and control_plane.count % 2 == 0:
        section.refuse("count", expected="an odd number: etcd decides by majority, so one more adds no safety")
    if section.has("spot"):
        section.refuse("spot", expected="no such key: AWS takes spot machines back, and etcd's data with them")
    section.close()
    return control_plane


def _together(section: Section, settings: KopsSettings, *, domain: str) -> None:
    """Refuse what each key allows and all of them together do not."""
    if settings.network_cidr and settings.cluster_cidr:
        network, other = (ipaddress.ip_network(each) for each in (settings.network_cidr, settings.cluster_cidr))
        if network.overlaps(other):
            section.refuse("networkCidr", found=str(network), expected=f"a network apart from clusterCidr, {other}")
    if settings.dns == "public" and settings.name and domain and not settings.name.endswith(f".{domain}"):
        section.refuse("name", expected=f"a name beneath {domain}, where dns: public puts its records")


def _kops_version(text: str) -> str | None:
    match = re.fullmatch(r"1\.([0-9]+)\.[0-9]+", text)
    if not match:
        return "a Kubernetes version of three numbers in quotes such as 1.35.7"
    if not KOPS_OLDEST <= int(match[1]) <= KOPS_NEWEST:
        return f"a Kubernetes version that this driver supports: 1.{KOPS_OLDEST} to 1.{KOPS_NEWEST}"
    return None


def _policy(text: str) -> str | None:
    pattern = r"arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/[\w+=,.@/-]+"
    return None if re.fullmatch(pattern, text) else "the ARN of an IAM policy: arn:aws:iam::...:policy/..."


def _group_name(text: str) -> str | None:
    if text.startswith(_CONTROL_PLANE_PREFIX):
        return f"a name without {_CONTROL_PLANE_PREFIX}, which the control plane's groups have"
    return checks.namespace(text)


def _network_cidr(text: str) -> str | None:
    if expected := checks.cidr(text):
        return expected
    # AWS allows a VPC /16 to /28; a subnet is an eighth of it, and one for balancers an eighth of that.
    size = ipaddress.ip_network(text).prefixlen
    return None if 16 <= size <= 22 else "a network from /16 to /22: AWS's largest, and room for every zone"
