"""The settings of the driver `eks`."""

import ipaddress
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator

from infra.cluster.eks import versions
from infra.settings.machines import EACH_ONCE, Apart, Groups, NodeGroup, OnMachines, Zones, from_16_to
from infra.settings.section import expected, must, refused, refused_within
from infra.settings.values import LABEL, Network

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827)
"""The retention periods, up to five years, that CloudWatch Logs accepts (PutRetentionPolicy in its API reference)."""

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918."""
_SHARED = "100.64.0.0/10"
"""RFC 6598."""


def _within(network: str, *others: str) -> bool:
    return any(ipaddress.IPv4Network(network).subnet_of(ipaddress.IPv4Network(each)) for each in others)


def _is_for_services(network: str) -> bool:
    # https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
    return _within(network, *_PRIVATE) and 12 <= ipaddress.ip_network(network).prefixlen <= 24


# EKS allows 63 characters, and Pulumi appends to the name.
GroupName = Annotated[str, expected("a DNS label of at most 40 characters", pattern=f"^{LABEL}$", max_length=40)]
# EKS allows 100 characters; the tags and names made from it allow fewer.
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
# A zone gets an eighth of it for nodes and pods, and a 64th for balancers.
Vpc = Annotated[Network, expected("an IPv4 network from /16 to /20 such as 10.0.0.0/16"), from_16_to(20)]
Services = Annotated[
    Network,
    expected(f"an IPv4 network from /12 to /24 within {', '.join(_PRIVATE)}"),
    must(_is_for_services),
    Apart,
]
Public = Annotated[
    Network,
    must(
        lambda network: not _within(network, *_PRIVATE, _SHARED),
        "a network of public addresses: private ones reach the private endpoint, which is always enabled",
    ),
]
# EKS does not accept the session of a role (arn:aws:sts::...:assumed-role/...).
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
    """The group's name. Another name makes another group, and deletes this one with its machines."""
    desired: Annotated[int, expected("a whole number from min to max", ge=0)] | None = None
    """The number of machines, which every `up` restores. Without it, a group starts with `min` machines; if `max` is
    greater, the program leaves the number to an autoscaler or to you from then on."""
    disk_gib: Annotated[int, expected("a whole number from 20 to 16384", ge=20, le=16384)] = 20
    """The disk of each machine in GiB, for images, logs and files that pods write. EBS gp3 allows at most 16384."""

    @field_validator("desired")
    @classmethod
    def _from_min_to_max(cls, desired: int | None, info: ValidationInfo) -> int | None:
        if desired is None:
            return None
        low, high = info.data.get("min", desired), info.data.get("max", desired)
        if not low <= desired <= high:
            raise refused(f"a whole number from min to max, which are {low} and {high}")
        return desired

    @property
    def scaled(self) -> bool:
        """Whether the number of machines is set outside the program."""
        return self.desired is None and self.min < self.max


class EksSettings(OnMachines):
    """Driver `eks`: an Amazon EKS cluster with managed node groups."""

    driver: Literal["eks"]
    """A cluster whose control plane AWS manages."""
    name: Name
    """The cluster's name. It cannot be changed later."""
    kubernetes_version: Version
    """The Kubernetes version, one that EKS supports. It can only go up, one minor version at a time."""
    zones: Annotated[
        Zones, must(lambda zones: len(zones) > 1, "two zones or more: EKS spreads its control plane over them")
    ]
    """At least two zones, all in `aws.region`."""
    nodes: Groups[EksNodeGroup]
    """The groups of machines for pods."""
    network_cidr: Vpc = "10.0.0.0/16"
    """The VPC's network. Pods get their addresses from it too."""
    service_cidr: Services = "172.20.0.0/16"
    """The network of the Services. It must not overlap `networkCidr`, and is not visible outside the cluster."""
    nat: Literal["single", "per-zone"] = "single"
    """The NAT gateways for the nodes' outbound traffic: one for all zones, or one per zone, so that a zone's failure
    does not cut off the others."""
    api_access: tuple[Public, ...] = ("0.0.0.0/0",)
    """The networks that may reach the API from outside the VPC. With an empty list none may, and `up` must run inside
    the VPC."""
    admins: Annotated[tuple[Principal, ...], EACH_ONCE] = ()
    """IAM users and roles that administer the cluster, besides the one that creates it, which always does."""
    log_retention_days: Days = 30
    """Days that CloudWatch keeps the control plane's logs."""
    support: Literal["STANDARD", "EXTENDED"] = "STANDARD"
    """What EKS does when the standard support of the Kubernetes version ends. `STANDARD`: upgrade the control plane.
    `EXTENDED`: keep the version, for a surcharge."""
    addons: Annotated[Mapping[versions.Name, AddonVersion], expected("an object of versions by the add-on's name")] = {}
    """Versions of add-ons, instead of those in infra/cluster/eks/versions.py for the Kubernetes version."""

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

    @property
    def identity(self) -> dict[str, str]:
        """The values that cannot change, by key: EKS would have to make another cluster.

        https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateClusterConfig.html includes the zones. Their order
        decides where the single NAT gateway is, and so the address from which the nodes reach others.
        """
        return {
            "cluster.driver": self.driver,
            "cluster.name": self.name,
            "cluster.networkCidr": self.network_cidr,
            "cluster.serviceCidr": self.service_cidr,
            "cluster.zones": ", ".join(self.zones),
        }
