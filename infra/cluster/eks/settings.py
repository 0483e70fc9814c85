"""The settings of the driver `eks`."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from infra.cluster.eks import versions
from infra.settings import machines
from infra.settings.machines import EACH_ONCE, NodeGroup, OnMachines, Zones
from infra.settings.section import expected, must, refused, refused_within
from infra.settings.values import LABEL, Network

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827)
"""The spans up to five years that CloudWatch Logs takes (PutRetentionPolicy in its API reference)."""

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918."""
_SHARED = "100.64.0.0/10"
"""RFC 6598."""


def _within(network: str, *others: str) -> bool:
    return any(ipaddress.IPv4Network(network).subnet_of(ipaddress.IPv4Network(each)) for each in others)


def _has_room(network: str) -> bool:
    # AWS allows a VPC /16 to /28. A zone gets an eighth of it for nodes and pods, and a 64th for balancers.
    return 16 <= ipaddress.ip_network(network).prefixlen <= 20


def _is_for_services(network: str) -> bool:
    # https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
    return _within(network, *_PRIVATE) and 12 <= ipaddress.ip_network(network).prefixlen <= 24


def _running(group: Mapping[str, Any]) -> int:
    return int(group.get("min", 0))


# EKS allows a group 63 characters, and Pulumi adds to the name.
GroupName = Annotated[str, expected("a DNS label of at most 40 characters", pattern=f"^{LABEL}$", max_length=40)]
# EKS takes a cluster's name of up to 100 characters; the tags and names that are made of it have to hold it as well.
Name = Annotated[
    str,
    expected(
        "a name of a-z, 0-9 and - such as useast1-dev, at most 63, with a letter or digit at both ends",
        pattern=f"^{LABEL}$",
    ),
]
Version = Annotated[
    str,
    expected(f"a Kubernetes version of two numbers in quotes: {', '.join(versions.ADDONS)}"),
    must(lambda version: version in versions.ADDONS),
]
Vpc = Annotated[Network, expected("an IPv4 network from /16 to /20 such as 10.0.0.0/16"), must(_has_room)]
Services = Annotated[
    Network,
    expected(f"an IPv4 network from /12 to /24 within {', '.join(_PRIVATE)}"),
    must(_is_for_services),
]
Public = Annotated[
    Network,
    must(
        lambda network: not _within(network, *_PRIVATE, _SHARED),
        "a network of public addresses: private ones reach the VPC's own endpoint, which is always open",
    ),
]
# A session of a role (arn:aws:sts::...:assumed-role/...) is no principal that EKS takes.
Principal = Annotated[
    str,
    expected(
        "the ARN of an IAM user or role: arn:aws:iam::...:role/...",
        pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[\w+=,.@/-]+$",
    ),
]
Days = Annotated[
    int,
    expected(f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}"),
    must(lambda days: days in LOG_RETENTION_DAYS),
]
AddonVersion = Annotated[
    str, expected("a version such as v1.20.4-eksbuild.2", pattern=r"^v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+$")
]


class EksNodeGroup(NodeGroup):
    """A managed node group, in private subnets."""

    name: GroupName
    """The group's own, for ever."""
    desired: Annotated[int, expected("a whole number from min to max", ge=0)] = Field(default_factory=_running)
    """How many machines run; `min` by default."""
    disk_gib: Annotated[int, expected("a whole number from 20 to 16384", ge=20, le=16384)] = 20
    """Each machine's disk in GiB, for images, logs and what pods write. 16384 is the most of EBS' gp3."""

    @field_validator("desired")
    @classmethod
    def _from_min_to_max(cls, desired: int, info: ValidationInfo) -> int:
        low, high = info.data.get("min", desired), info.data.get("max", desired)
        if not low <= desired <= high:
            raise refused(f"a whole number from min to max, which are {low} and {high}")
        return desired


class EksSettings(OnMachines):
    """Driver `eks`: a cluster whose control plane AWS runs, with managed node groups."""

    driver: Literal["eks"]
    """A cluster whose control plane AWS runs."""
    name: Name
    """The cluster's identity, for ever."""
    kubernetes_version: Version
    """The version of Kubernetes: one that EKS supports. A later change goes up by one and never down."""
    zones: Annotated[
        Zones, must(lambda zones: len(zones) > 1, "two zones or more: EKS spreads its control plane over them")
    ]
    """Two zones or more, all of `aws.region`."""
    nodes: Annotated[
        tuple[EksNodeGroup, ...],
        expected("a list of one or more objects", min_length=1),
        AfterValidator(machines.placed),
    ]
    """The groups of machines for pods."""
    network_cidr: Vpc = "10.0.0.0/16"
    """The VPC's network, from which the pods have their addresses too."""
    service_cidr: Services = "172.20.0.0/16"
    """The network of the Services, apart from `networkCidr`; nothing outside of the cluster sees it."""
    nat: Literal["single", "per-zone"] = "single"
    """The gateways through which the nodes reach out: one for all zones, or one in each, which outlives another."""
    api_access: tuple[Public, ...] = ("0.0.0.0/0",)
    """The networks that may reach the API from outside of the VPC; an empty list for none, after which `up` must run
    inside of it."""
    admins: Annotated[tuple[Principal, ...], EACH_ONCE] = ()
    """IAM users and roles that administer the cluster, beside whoever makes it, who does so already."""
    log_retention_days: Days = 30
    """How many days CloudWatch keeps the control plane's logs."""
    support: Literal["STANDARD", "EXTENDED"] = "STANDARD"
    """What EKS does when the standard support of the Kubernetes version ends: upgrade the control plane, or keep it for
    a price."""
    addons: Annotated[Mapping[versions.Name, AddonVersion], expected("an object of versions by the add-on's name")] = {}
    """Versions of add-ons, over those of infra/cluster/eks/versions.py for the Kubernetes version."""

    @field_validator("service_cidr")
    @classmethod
    def _apart_from_the_vpc(cls, services: str, info: ValidationInfo) -> str:
        network = info.data.get("network_cidr")
        if network and ipaddress.ip_network(network).overlaps(ipaddress.ip_network(services)):
            raise refused(f"a network apart from networkCidr, {network}")
        return services

    @field_validator("addons")
    @classmethod
    def _of_the_version(cls, given: Mapping[str, str], info: ValidationInfo) -> Mapping[str, str]:
        version = info.data.get("kubernetes_version")
        if version is None:
            return given
        kube_proxy = given.get("kube-proxy")
        if kube_proxy and not kube_proxy.startswith(f"v{version}."):
            wrong = refused(f"a version of Kubernetes {version}, as kubernetesVersion says")
            refused_within([(("kube-proxy",), kube_proxy, wrong)])
        return {name: given.get(name, versions.ADDONS[version][name]) for name in versions.NAMES}
