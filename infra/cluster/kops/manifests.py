"""What kops is told: its Cluster and InstanceGroup manifests, made from the settings and always the same for them."""

import hashlib
import ipaddress
from collections.abc import Iterable
from typing import Any

import yaml

from infra.cluster.kops.settings import KopsSettings
from infra.settings.machines import NodeGroup

Manifest = dict[str, Any]

API_VERSION = "kops.k8s.io/v1alpha2"
"""The version that kops stores, and the only one that its documentation describes."""


def render(settings: KopsSettings, *, dns_zone: str | None) -> str:
    """Render the manifests as YAML; `dns_zone` is the hosted zone's id, for the settings with `dns: public`.

    They do not say where they are stored (`configBase`), so that they are known before the state bucket is, and the
    same in a copy of it.
    """
    documents = [_cluster(settings, dns_zone=dns_zone), *_control_plane(settings)]
    documents += [_node_group(settings, each) for each in sorted(settings.nodes, key=lambda each: each.name)]
    return dump(documents)


def dump(documents: Iterable[Manifest]) -> str:
    """Write manifests as one text, keys sorted."""
    return yaml.safe_dump_all(documents, sort_keys=True, default_flow_style=False)


def parse(text: str) -> list[Manifest]:
    """Read manifests from one text; empty documents are left out."""
    return [each for each in yaml.safe_load_all(text) if each]


def digest(text: str) -> str:
    """Give the hash of the manifests: another one, and nothing else, makes kops change the cluster."""
    return hashlib.sha256(text.encode()).hexdigest()


def groups(text: str) -> list[str]:
    """List the names of the instance groups in the manifests."""
    return [each["metadata"]["name"] for each in parse(text) if each["kind"] == "InstanceGroup"]


def stored_in(text: str, *, base: str) -> str:
    """Give the manifests with the place where the cluster's machines find the store."""
    documents = parse(text)
    for each in documents:
        if each["kind"] == "Cluster":
            each["spec"]["configBase"] = base
    return dump(documents)


def _cluster(settings: KopsSettings, *, dns_zone: str | None) -> Manifest:
    iam: Manifest = {"allowContainerRegistry": settings.container_registry, "legacy": False}
    if settings.permissions_boundary:
        iam["permissionsBoundary"] = settings.permissions_boundary
    spec: Manifest = {
        "api": {"loadBalancer": {"class": "Network", "type": "Public"}},
        "authorization": {"rbac": {}},
        "channel": "stable",
        "cloudProvider": "aws",
        "etcdClusters": [_etcd(settings, name) for name in ("main", "events")],
        "iam": iam,
        # Without it whoever reaches a kubelet may run commands in its pods; kops asks for it in a warning.
        "kubelet": {"anonymousAuth": False},
        "kubernetesApiAccess": list(settings.api_access),
        "kubernetesVersion": settings.kubernetes_version,
        "networkCIDR": settings.network_cidr,
        "networking": {settings.networking: {}},
        "nonMasqueradeCIDR": settings.cluster_cidr,
        "sshAccess": list(settings.ssh_access),
        "subnets": _subnets(settings),
        "topology": {"dns": {"type": "Public" if settings.dns == "public" else "None"}},
    }
    if dns_zone:
        spec["dnsZone"] = dns_zone
    return {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": {"name": settings.name}, "spec": spec}


def _etcd(settings: KopsSettings, name: str) -> Manifest:
    members = [
        {"name": member, "instanceGroup": group, "encryptedVolume": True}
        for group, member, _ in _control_plane_members(settings)
    ]
    return {"name": name, "etcdMembers": members}


def _subnets(settings: KopsSettings) -> list[Manifest]:
    """Cut the VPC into eighths: the first, cut again, for what balancers need, the others one for each zone.

    A zone's letter says which eighth, so that a zone more or another order moves no subnet: that AWS cannot do.
    """
    eighths = list(ipaddress.IPv4Network(settings.network_cidr).subnets(prefixlen_diff=3))
    utilities = list(eighths[0].subnets(prefixlen_diff=3))
    subnets = []
    for zone in sorted(settings.zones):
        place = ord(zone[-1]) - ord("a") + 1
        kind = "Private" if settings.topology == "private" else "Public"
        subnets.append({"name": zone, "zone": zone, "type": kind, "cidr": str(eighths[place])})
        if settings.topology == "private":
            name, cidr = f"utility-{zone}", str(utilities[place])
            subnets.append({"name": name, "zone": zone, "type": "Utility", "cidr": cidr})
    return subnets


def _control_plane_members(settings: KopsSettings) -> list[tuple[str, str, str]]:
    """Give the group, the etcd member's name and the zone of each machine, named as `kops create cluster` does."""
    zones = settings.control_plane.zones
    count = settings.control_plane.count
    if count <= len(zones):
        return [(f"control-plane-{zone}", zone[-1], zone) for zone in zones[:count]]
    placed = [(zones[index % len(zones)], index // len(zones) + 1) for index in range(count)]
    return [(f"control-plane-{zone}-{turn}", f"etcd-{index}", zone) for index, (zone, turn) in enumerate(placed, 1)]


def _control_plane(settings: KopsSettings) -> list[Manifest]:
    machine_type = settings.control_plane.machine_type
    return [
        _group(settings, group, role="Master", machine_type=machine_type, low=1, high=1, zones=(zone,))
        for group, _, zone in _control_plane_members(settings)
    ]


def _node_group(settings: KopsSettings, group: NodeGroup) -> Manifest:
    made = _group(
        settings,
        group.name,
        role="Node",
        machine_type=group.machine_type,
        low=group.min,
        high=group.max,
        zones=group.zones,
    )
    if group.spot:
        made["spec"]["mixedInstancesPolicy"] = {
            "instances": [group.machine_type],
            "onDemandBase": 0,
            "onDemandAboveBase": 0,
            "spotAllocationStrategy": "capacity-optimized",
        }
    return made


def _group(
    settings: KopsSettings,
    name: str,
    *,
    role: str,
    machine_type: str,
    low: int,
    high: int,
    zones: tuple[str, ...],
) -> Manifest:
    spec: Manifest = {
        # Version 2 of the metadata service, one hop: no pod takes the machine's role.
        "instanceMetadata": {"httpPutResponseHopLimit": 1, "httpTokens": "required"},
        "machineType": machine_type,
        "maxSize": high,
        "minSize": low,
        "nodeLabels": {"kops.k8s.io/instancegroup": name},
        "role": role,
        "subnets": sorted(zones),
    }
    if settings.image:
        spec["image"] = settings.image
    metadata = {"name": name, "labels": {"kops.k8s.io/cluster": settings.name}}
    return {"apiVersion": API_VERSION, "kind": "InstanceGroup", "metadata": metadata, "spec": spec}
