"""The settings of the driver `eks`: what they are, and how they are read and checked."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from infra import checks
from infra.balancer_kind import BalancerKind
from infra.cluster_settings import balancer, eks_versions, machines
from infra.cluster_settings.machines import NodeGroup
from infra.reading import Section

NAT = ("single", "per-zone")
"""Gateways through which the nodes reach out: one for all zones, or one in each, which outlives another zone."""

SUPPORT = ("STANDARD", "EXTENDED")
"""What EKS does with a Kubernetes version whose standard support ends: upgrade it, or keep it for a price."""

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827)
"""The spans up to five years that CloudWatch Logs takes (PutRetentionPolicy in its API reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EksNodeGroup(NodeGroup):
    """A managed node group, in private subnets."""

    desired: int
    """How many run: from min to max."""
    disk_gib: int
    """Each machine's disk, for images, logs and what pods write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EksSettings:
    """Driver `eks`: a cluster whose control plane AWS runs, with managed node groups."""

    driver: ClassVar[str] = "eks"
    name: str
    kubernetes_version: str
    """Of two numbers, as EKS has them."""
    zones: tuple[str, ...]
    """Two or more."""
    nodes: tuple[EksNodeGroup, ...]
    network_cidr: str
    """The VPC's, from which the pods have their addresses too."""
    service_cidr: str
    """Of the Services; nothing outside of the cluster sees it."""
    nat: str
    """One of NAT."""
    api_access: tuple[str, ...]
    """The CIDRs that may reach the API from outside of the VPC; empty for none."""
    admins: tuple[str, ...]
    """IAM users and roles that administer the cluster beside whoever makes it."""
    log_retention_days: int
    """One of LOG_RETENTION_DAYS."""
    support: str
    """One of SUPPORT."""
    balancer: BalancerKind
    addons: Mapping[str, str]
    """The version of each add-on."""


def read(section: Section, *, region: str, platform: str) -> EksSettings:
    """Read the settings of the driver `eks`, for a cluster in the region and an image of the platform."""
    already = len(section.problems)
    zones = machines.zones(section, region=region)
    if len(zones) == 1 and len(section.problems) == already:  # and not one that is left of several
        section.refuse("zones", expected="two zones or more: EKS spreads its control plane over them")
    version = section.text("kubernetesVersion", _version)
    settings = EksSettings(
        name=section.text("name", _name),
        kubernetes_version=version,
        zones=zones,
        nodes=_node_groups(section, zones=zones, platform=platform),
        network_cidr=section.text("networkCidr", _network_cidr, default="10.0.0.0/16"),
        service_cidr=section.text("serviceCidr", _service_cidr, default="172.20.0.0/16"),
        nat=section.choice("nat", available=NAT, default="single"),
        # An empty list closes the public endpoint, so it must not mean the default.
        api_access=section.list_of_texts("apiAccess", _public_cidr, default=())
        if section.has("apiAccess")
        else ("0.0.0.0/0",),
        admins=section.list_of_texts("admins", _principal, default=()),
        log_retention_days=_log_retention(section),
        support=section.choice("support", available=SUPPORT, default="STANDARD"),
        balancer=balancer.read(section),
        addons=_addons(section, version),
    )
    _together(section, settings)
    return settings


def _node_groups(section: Section, *, zones: tuple[str, ...], platform: str) -> tuple[EksNodeGroup, ...]:
    groups = []
    for each in section.sections("nodes"):
        # The machines' own keys are read first: `node_group` ends with the refusal of those that nobody read.
        disk_gib = each.integer("diskGib", default=20, low=20, high=16384)
        desired = each.integer("desired", low=0) if each.has("desired") else None
        group = machines.node_group(each, zones=zones, name=_group_name)
        if desired is not None and not group.min <= desired <= group.max:
            each.refuse("desired", expected=f"from min to max, which are {group.min} and {group.max}")
        groups.append(
            EksNodeGroup(
                name=group.name,
                machine_type=group.machine_type,
                min=group.min,
                max=group.max,
                desired=group.min if desired is None else desired,
                zones=group.zones,
                spot=group.spot,
                disk_gib=disk_gib,
            )
        )
    machines.together(section, groups, platform=platform)
    return tuple(groups)


def _addons(section: Section, version: str) -> dict[str, str]:
    # Of a version that is refused already the newest one's do: that they are none of its own goes unsaid.
    defaults = eks_versions.ADDONS.get(version) or list(eks_versions.ADDONS.values())[-1]
    inner = section.section("addons")
    addons = {name: inner.text(name, _addon_version, default=defaults[name]) for name in eks_versions.NAMES}
    kube_proxy = addons["kube-proxy"]
    if version and kube_proxy and not kube_proxy.startswith(f"v{version}."):
        inner.refuse("kube-proxy", expected=f"a version of Kubernetes {version}, as kubernetesVersion says")
    inner.close()
    return addons


def _log_retention(section: Section) -> int:
    days = section.integer("logRetentionDays", default=30, low=1, high=LOG_RETENTION_DAYS[-1])
    if days and days not in LOG_RETENTION_DAYS:
        section.refuse("logRetentionDays", expected=f"one of {', '.join(map(str, LOG_RETENTION_DAYS))}")
    return days


def _together(section: Section, settings: EksSettings) -> None:
    """Refuse what each key allows and all of them together do not."""
    if settings.network_cidr and settings.service_cidr:
        network, other = (ipaddress.ip_network(each) for each in (settings.network_cidr, settings.service_cidr))
        if network.overlaps(other):
            section.refuse("networkCidr", found=str(network), expected=f"a network apart from serviceCidr, {other}")
    if len(set(settings.admins)) < len(settings.admins):
        section.refuse("admins", expected="every principal once")


def _name(text: str) -> str | None:
    # EKS takes a name of up to 100 characters; the tags and names that are made of it have to hold it as well.
    expected = "a name of a-z, 0-9 and - such as useast1-dev, at most 63, with a letter or digit at both ends"
    return None if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text) else expected


def _version(text: str) -> str | None:
    if not re.fullmatch(r"1\.[0-9]+", text):
        return "a Kubernetes version of two numbers in quotes such as 1.35"
    supported = ", ".join(eks_versions.ADDONS)
    return None if text in eks_versions.ADDONS else f"a Kubernetes version that EKS supports: {supported}"


def _group_name(text: str) -> str | None:
    if len(text) > 40:
        return "at most 40 characters, since EKS allows 63 and Pulumi adds to the name"
    return checks.namespace(text)


def _network_cidr(text: str) -> str | None:
    if expected := checks.cidr(text):
        return expected
    # AWS allows a VPC /16 to /28. A zone gets an eighth of it for nodes and pods, and a 64th for balancers.
    size = ipaddress.ip_network(text).prefixlen
    return None if 16 <= size <= 20 else "a network from /16 to /20: AWS's largest, and room for every zone's pods"


def _service_cidr(text: str) -> str | None:
    if expected := checks.cidr(text):
        return expected
    network = ipaddress.IPv4Network(text)
    # https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
    inside = any(network.subnet_of(ipaddress.IPv4Network(each)) for each in _PRIVATE)
    return None if inside and 12 <= network.prefixlen <= 24 else f"a network from /12 to /24 within {_listed(_PRIVATE)}"


def _public_cidr(text: str) -> str | None:
    if expected := checks.cidr(text):
        return expected
    network = ipaddress.IPv4Network(text)
    if any(network.subnet_of(ipaddress.IPv4Network(each)) for each in (*_PRIVATE, "100.64.0.0/10")):
        return (
            "a network of public addresses: from private ones the VPC's own endpoint is reached, which is always open"
        )
    return None


def _principal(text: str) -> str | None:
    # A session of a role (arn:aws:sts::...:assumed-role/...) is no principal that EKS takes.
    pattern = r"arn:aws[a-z-]*:iam::[0-9]{12}:(user|role)/[\w+=,.@/-]+"
    return None if re.fullmatch(pattern, text) else "the ARN of an IAM user or role: arn:aws:iam::...:role/..."


def _addon_version(text: str) -> str | None:
    pattern = r"v[0-9]+\.[0-9]+\.[0-9]+-eksbuild\.[0-9]+"
    return None if re.fullmatch(pattern, text) else "a version such as v1.20.4-eksbuild.2"


def _listed(words: tuple[str, ...]) -> str:
    return ", ".join(words)


_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
"""RFC 1918."""
