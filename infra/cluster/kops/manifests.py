"""The Cluster and InstanceGroup manifests for kops, always the same for the same settings."""

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
    """Return the manifests as YAML; `dns_zone` is the hosted zone's id, for settings with `dns: public`.

    They leave out where they are stored (`configBase`), so that they are known before the state bucket is, and are the
    same in a copy of it.
    """
    documents = [_cluster(settings, dns_zone=dns_zone), *_control_plane(settings)]
    documents += [_node_group(settings, each) for each in sorted(settings.nodes, key=lambda each: each.name)]
    return dump(documents)


def dump(documents: Iterable[Manifest]) -> str:
    """Return the manifests as one text, keys sorted."""
    return yaml.safe_dump_all(documents, sort_keys=True, default_flow_style=False)


def parse(text: str) -> list[Manifest]:
    """Return the manifests in a text, without empty documents."""
    return [each for each in yaml.safe_load_all(text) if each]


def digest(text: str) -> str:
    """Return the hash of the manifests. Only another hash makes kops change the cluster."""
    return hashlib.sha256(text.encode()).hexdigest()


def groups(text: str) -> list[str]:
    """Return the names of the instance groups in the manifests."""
    return [each["metadata"]["name"] for each in parse(text) if each["kind"] == "InstanceGroup"]


def stored_in(text: str, *, base: str) -> str:
    """Return the manifests with the location where the cluster's machines find the store."""
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
        # Without it, anybody who reaches a kubelet may run commands in its pods; kops warns about that.
        "kubelet": {"anonymousAuth": False},
        "kubernetesApiAccess": list(settings.api_access),
        "kubernetesVersion": settings.kubernetes_version,
        # For HorizontalPodAutoscalers. kops secures its TLS only with cert-manager, which no cluster of this program
        # has; it only serves figures, within the cluster.
        "metricsServer": {"enabled": True, "insecure": True},
        "networkCIDR": settings.network_cidr,
        "networking": {settings.networking: {}},
        "nonMasqueradeCIDR": settings.cluster_cidr,
        "sshAccess": list(settings.ssh_access),
        "subnets": _subnets(settings),
        "topology": {"dns": {"type": "Public" if settings.dns == "public" else "None"}},
    }
    if any(group.min < group.max for group in settings.nodes):
        # It runs on the control plane, with that machine's role. The app's pods have emptyDirs, which hold nothing
        # lasting: counted as local storage, they would keep every node with such a pod forever.
        spec["clusterAutoscaler"] = {"enabled": True, "skipNodesWithLocalStorage": False}
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
    """Cut the VPC into eighths: one for each zone; the first is cut again, for the balancers' subnets.

    A zone's letter decides which eighth, so that adding or reordering zones moves no subnet, which AWS does not allow.
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
    """Return each machine's group, etcd member name and zone, named as by `kops create cluster`."""
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
    manifest = _group(
        settings,
        group.name,
        role="Node",
        machine_type=group.machine_type,
        low=group.min,
        high=group.max,
        zones=group.zones,
    )
    if group.spot:
        manifest["spec"]["mixedInstancesPolicy"] = {
            "instances": [group.machine_type],
            "onDemandBase": 0,
            "onDemandAboveBase": 0,
            "spotAllocationStrategy": "capacity-optimized",
        }
    return manifest


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
        # Version 2 of the metadata service, one hop: no pod can use the machine's role.
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
