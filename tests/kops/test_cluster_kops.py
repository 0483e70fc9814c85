"""The driver kops without kops: its settings, its manifests, its place in the graph, and how it parses kops' output.

tests/kops/test_kops.py runs kops and `pulumi`; tests/conformance has the tests of all drivers.
"""

import ipaddress
import itertools
import re
from typing import Any

import pytest

from infra.cluster.kops import manifests, plan
from infra.cluster.kops.settings import ControlPlane
from infra.settings.machines import NodeGroup, machine_platform
from tests.example import KUBECONFIG, Inputs
from tests.fast.graph import ABSENT, changed, refused
from tests.kops.world import NAME, group, rendered
from tests.recorder import UNKNOWN, Graph, Secret, declare

NODES = {"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}
CLUSTER: Inputs = {
    "driver": "kops",
    "name": NAME,
    "kubernetesVersion": "1.35.7",
    "zones": ["us-east-1a", "us-east-1c"],
    "nodes": [NODES],
}


@pytest.fixture(name="kops")
def _kops(config: Inputs) -> Inputs:
    return config | {"cluster": CLUSTER}


def test_nodes_that_may_not_pull_from_ecr_are_refused_where_the_image_is_there(kops: Inputs) -> None:
    deaf = changed(kops, {"cluster.containerRegistry": False})
    assert declare(deaf)
    (problem,) = refused(deaf | {"registry": {"driver": "ecr"}})
    assert problem.key == "cluster.containerRegistry"
    assert declare(kops | {"registry": {"driver": "ecr"}})


# A change of the cluster's keys, and the only key that is refused for it.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the name has one label": ({"name": "dev"}, "cluster.name"),
    "the version is missing": ({"kubernetesVersion": ABSENT}, "cluster.kubernetesVersion"),
    "the version is no text": ({"kubernetesVersion": 1.35}, "cluster.kubernetesVersion"),
    "the version has two numbers": ({"kubernetesVersion": "1.35"}, "cluster.kubernetesVersion"),
    "the version has a v": ({"kubernetesVersion": "v1.35.7"}, "cluster.kubernetesVersion"),
    "the version is too old": ({"kubernetesVersion": "1.30.14"}, "cluster.kubernetesVersion"),
    "the version is too new": ({"kubernetesVersion": "1.99.0"}, "cluster.kubernetesVersion"),
    "there are no zones": ({"zones": []}, "cluster.zones"),
    "the zones are a text": ({"zones": "us-east-1a"}, "cluster.zones"),
    "a zone is of another region": ({"zones": ["us-east-1a", "eu-west-1a"]}, "cluster.zones[1]"),
    "a zone is a region": ({"zones": ["us-east-1"]}, "cluster.zones[0]"),
    "a zone is there twice": ({"zones": ["us-east-1a", "us-east-1a"]}, "cluster.zones"),
    "the control plane is of two": ({"controlPlane": {"count": 2}}, "cluster.controlPlane.count"),
    "the control plane is of none": ({"controlPlane": {"count": 0}}, "cluster.controlPlane.count"),
    "the control plane is of nine": ({"controlPlane": {"count": 9}}, "cluster.controlPlane.count"),
    "the control plane is of spot machines": ({"controlPlane": {"spot": True}}, "cluster.controlPlane.spot"),
    "the control plane is elsewhere": ({"controlPlane": {"zones": ["us-east-1b"]}}, "cluster.controlPlane.zones[0]"),
    "the control plane's machines are none": (
        {"controlPlane": {"machineType": "big"}},
        "cluster.controlPlane.machineType",
    ),
    "the control plane has a misspelt key": ({"controlPlane": {"cout": 3}}, "cluster.controlPlane.cout"),
    "there are no node groups": ({"nodes": []}, "cluster.nodes"),
    "the node groups are an object": ({"nodes": NODES}, "cluster.nodes"),
    "a group's least is over its most": ({"nodes": [NODES | {"min": 5}]}, "cluster.nodes[0].max"),
    "a group's least is missing": (
        {"nodes": [{k: NODES[k] for k in ("name", "machineType", "max")}]},
        "cluster.nodes[0].min",
    ),
    "a group may have no machines": ({"nodes": [NODES | {"min": 0, "max": 0}]}, "cluster.nodes[0].max"),
    "a group's name is there twice": ({"nodes": [NODES, NODES]}, "cluster.nodes[1].name"),
    "a group is called as the control plane's": (
        {"nodes": [NODES | {"name": "control-plane-us-east-1a"}]},
        "cluster.nodes[0].name",
    ),
    "a group's name is no label": ({"nodes": [NODES | {"name": "My Nodes"}]}, "cluster.nodes[0].name"),
    "a group is in another zone": ({"nodes": [NODES | {"zones": ["us-east-1d"]}]}, "cluster.nodes[0].zones[0]"),
    "a group's machines are none": ({"nodes": [NODES | {"machineType": "t3"}]}, "cluster.nodes[0].machineType"),
    "a group's machines cannot run the image": (
        {"nodes": [NODES, NODES | {"name": "arm", "machineType": "t4g.medium"}]},
        "cluster.nodes[1].machineType",
    ),
    "spot is a text": ({"nodes": [NODES | {"spot": "yes"}]}, "cluster.nodes[0].spot"),
    "a group has an unknown key": ({"nodes": [NODES | {"size": 3}]}, "cluster.nodes[0].size"),
    "the networks overlap": ({"networkCidr": "100.100.0.0/16"}, "cluster.clusterCidr"),
    "the network is none": ({"networkCidr": "10.0.0.0/33"}, "cluster.networkCidr"),
    "the network has host bits": ({"networkCidr": "10.0.0.1/16"}, "cluster.networkCidr"),
    "the network is larger than AWS's": ({"networkCidr": "10.0.0.0/8"}, "cluster.networkCidr"),
    "the network is too small for the zones": ({"networkCidr": "10.0.0.0/24"}, "cluster.networkCidr"),
    "nobody reaches the API": ({"apiAccess": []}, "cluster.apiAccess"),
    "who reaches the API is an address": ({"apiAccess": ["192.0.2.7"]}, "cluster.apiAccess[0]"),
    "who reaches SSH is no network": ({"sshAccess": ["office"]}, "cluster.sshAccess[0]"),
    "the pod network is unknown": ({"networking": "weave"}, "cluster.networking"),
    "the topology is unknown": ({"topology": "privat"}, "cluster.topology"),
    "how it is applied is unknown": ({"apply": "roll"}, "cluster.apply"),
    "the name is outside of the zone that has its records": (
        {"dns": "public", "name": "useast1.example.org"},
        "cluster.dns",
    ),
    "the boundary is no policy": ({"permissionsBoundary": "machines"}, "cluster.permissionsBoundary"),
    "the wait is too short": ({"waitMinutes": 1}, "cluster.waitMinutes"),
    "it has the key of another driver": ({"kubeconfigFile": "x"}, "cluster.kubeconfigFile"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_when(kops: Inputs, case: str) -> None:
    changes, key = REFUSED[case]
    (problem,) = refused(changed(kops, {f"cluster.{key}": value for key, value in changes.items()}))
    assert problem.key == key


# The manifests.


def documents(**changes: Any) -> dict[str, dict[str, Any]]:
    found = manifests.parse(rendered(**changes))
    return {f"{each['kind']}/{each['metadata']['name']}": each["spec"] for each in found}


def test_the_manifests_are_the_same_for_the_same_settings_and_others_for_each_other_one() -> None:
    zones = ("us-east-1a", "us-east-1c")
    one = rendered(zones=zones, nodes=(group("a"), group("b", zones=zones)))
    assert one == rendered(zones=zones[::-1], nodes=(group("b", zones=zones[::-1]), group("a")))
    different: list[dict[str, Any]] = [
        {},
        {"kubernetes_version": "1.35.6"},
        {"nodes": (group(max=5),)},
        {"nodes": (group(spot=True),)},
        {"control_plane": ControlPlane(machine_type="t3.large", count=1, zones=("us-east-1c",))},
        {"networking": "calico"},
        {"topology": "private"},
        {"api_access": ("192.0.2.0/24",)},
        {"ssh_access": ("192.0.2.0/24",)},
        {"container_registry": False},
        {"permissions_boundary": "arn:aws:iam::000000000000:policy/machines"},
        {"image": "ami-1"},
        {"network_cidr": "10.0.0.0/16"},
        {"cluster_cidr": "10.0.0.0/16"},
    ]
    assert len({manifests.digest(rendered(**each)) for each in different}) == len(different)


def test_how_it_is_applied_and_waited_for_is_no_change_of_the_cluster() -> None:
    assert rendered() == rendered(apply="manual", wait_minutes=60)


@pytest.mark.parametrize(
    ("count", "zones", "groups"),
    [
        (1, "ac", ["control-plane-us-east-1a"]),
        (3, "abc", ["control-plane-us-east-1a", "control-plane-us-east-1b", "control-plane-us-east-1c"]),
        (3, "ac", ["control-plane-us-east-1a-1", "control-plane-us-east-1c-1", "control-plane-us-east-1a-2"]),
    ],
)
def test_each_machine_of_the_control_plane_is_a_group_and_a_member_of_etcd(
    count: int, zones: str, groups: list[str]
) -> None:
    where = tuple(f"us-east-1{each}" for each in zones)
    control_plane = ControlPlane(machine_type="t3.medium", count=count, zones=where)
    found = documents(zones=where, control_plane=control_plane)
    [main, events] = found[f"Cluster/{NAME}"]["etcdClusters"]
    for each in (main, events):
        assert [member["instanceGroup"] for member in each["etcdMembers"]] == groups
        assert len({member["name"] for member in each["etcdMembers"]}) == count
    for each in groups:
        assert found[f"InstanceGroup/{each}"]["subnets"] == [re.sub(r"control-plane-(.*1[a-g]).*", r"\1", each)]
        assert found[f"InstanceGroup/{each}"]["role"] == "Master"


@pytest.mark.parametrize("topology", ["public", "private"])
@pytest.mark.parametrize("network", ["172.20.0.0/16", "10.9.4.0/22"])
def test_the_subnets_lie_apart_in_the_network_and_none_moves_for_another_zone(topology: str, network: str) -> None:
    def subnets(*letters: str) -> dict[str, str]:
        zones = tuple(f"us-east-1{letter}" for letter in letters)
        spec = documents(zones=zones, topology=topology, network_cidr=network)[f"Cluster/{NAME}"]
        return {each["name"]: each["cidr"] for each in spec["subnets"]}

    every = {name: ipaddress.IPv4Network(cidr) for name, cidr in subnets(*"abcdefg").items()}
    assert len(every) == (7 if topology == "public" else 14)
    for one, other in itertools.combinations(every.values(), 2):
        assert not one.overlaps(other)
    for each in every.values():
        assert each.subnet_of(ipaddress.IPv4Network(network))
        assert each.prefixlen <= 28  # AWS's smallest subnet
    assert subnets("c", "a").items() <= subnets(*"gfedcba").items()


def test_an_autoscaler_is_there_where_a_group_has_room_and_metrics_are_everywhere() -> None:
    def spec(*groups: NodeGroup) -> dict[str, Any]:
        return documents(nodes=groups)[f"Cluster/{NAME}"]

    growing, fixed = spec(group("a", min=2, max=2), group("b", min=1, max=3)), spec(group(min=2, max=2))
    # With `true`, the autoscaler would keep every node that has a pod with an emptyDir, as the app's pods have.
    assert growing["clusterAutoscaler"] == {"enabled": True, "skipNodesWithLocalStorage": False}
    assert "clusterAutoscaler" not in fixed
    # Without `insecure`, kops requires cert-manager.
    assert growing["metricsServer"] == fixed["metricsServer"] == {"enabled": True, "insecure": True}


def test_the_api_is_behind_a_balancer_and_only_for_whom_the_settings_say() -> None:
    spec = documents(api_access=("192.0.2.0/24",))[f"Cluster/{NAME}"]
    assert spec["kubernetesApiAccess"] == ["192.0.2.0/24"]
    assert spec["sshAccess"] == []
    assert spec["api"]["loadBalancer"]["type"] == "Public"


# The graph.


def test_the_cluster_waits_for_its_bucket_and_the_kubeconfig_for_the_cluster(kops: Inputs) -> None:
    graph: Graph = declare(kops)
    spec, applied, ready = graph.one("KopsSpec"), graph.one("KopsApplied"), graph.one("KopsReady")
    for each in (spec, applied, ready):
        assert each.sources["store"] & {bucket.urn for bucket in graph.declared if "s3" in bucket.type}
    assert applied.sources["hash"] == {spec.urn}
    assert ready.sources["hash"] == {applied.urn}
    assert graph.one("pulumi:providers:kubernetes").sources["kubeconfig"] == {ready.urn}
    assert isinstance(graph.exports["kubeconfig"], Secret)
    assert graph.exports["clusterName"] == NAME


def test_before_anything_exists_kops_manifests_are_known(kops: Inputs) -> None:
    graph = declare(kops, preview=True)
    assert "kind: InstanceGroup" in graph.one("KopsApplied").inputs["manifests"]
    assert graph.exports["kubeconfig"] in (UNKNOWN, Secret(UNKNOWN))
    public = declare(changed(kops, {"cluster.dns": "public"}), preview=True)
    assert public.one("KopsApplied").inputs["manifests"] == UNKNOWN


def test_no_credential_is_among_the_inputs(kops: Inputs) -> None:
    graph = declare(kops)
    for name in ("KopsSpec", "KopsApplied", "KopsReady"):
        assert graph.one(name).inputs.keys() <= {
            *("__provider", "name", "store", "region", "endpoint", "manifests", "hash", "apply", "drift", "waitMinutes")
        }
    assert KUBECONFIG  # the recorder returns it as an output; it is no input
    assert graph.one("KopsReady").secret_outputs == ("kubeconfig",)


# kops' output.


def test_what_kops_reports_is_read() -> None:
    said = (
        "\n*****\n\nA new kops version is available\n\n*****\n"
        "Will create resources:\n  Subnet/a\n  \tCIDR                \t10.0.0.0/16\n\n"
        "Will modify resources:\n  LaunchTemplate/nodes.x\n  \tUserData            \n"
        "  \t                    \t  + a line\n\n  Tag/b\n  \tValue               \t a -> b\n\n"
        "Items will be deleted only when the --prune flag is specified:\n  LaunchTemplate       old\n\n"
        "Items will be deleted during update:\n  SecurityGroupRule    ssh\n\n"
        "Must specify --yes to apply changes\n"
    )
    assert plan.read(said) == {
        "create": ["Subnet/a"],
        "modify": ["LaunchTemplate/nodes.x\nUserData\n+ a line", "Tag/b\nValue a -> b"],
        "later": ["LaunchTemplate old"],
        "delete": ["SecurityGroupRule ssh"],
    }
    assert plan.read("No changes need to be applied\n") == {}


def test_what_kops_adds_to_a_spec_is_no_change_and_what_it_lacks_is() -> None:
    stored = manifests.parse(rendered())
    stored[0]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    stored[0]["spec"]["added"] = {"by": "kops"}
    del stored[0]["spec"]["sshAccess"]  # kops does not store an empty list
    assert plan.spec_changes(manifests.dump(stored), rendered()) == []
    stored[0]["spec"]["subnets"][0]["cidr"] = "10.0.0.0/19"
    [change] = plan.spec_changes(manifests.dump(stored), rendered())
    assert change == f"Cluster/{NAME}: spec.subnets[0].cidr: '10.0.0.0/19' -> '172.20.96.0/19'"


@pytest.mark.parametrize(("machine", "platform"), [("m7gd.large", "arm64"), ("g4dn.xlarge", "amd64")])
def test_the_platform_of_the_nodes_follows_from_their_machines(machine: str, platform: str) -> None:
    assert machine_platform(machine) == f"linux/{platform}"


# The identity, which cannot change.


def identity(config: Inputs, changes: Inputs) -> Inputs:
    cluster = {**CLUSTER, "controlPlane": {"count": 3}, **changes}
    given: Inputs = declare(config | {"cluster": cluster}).one("ClusterIdentity").inputs["identity"]
    return given


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": "another.example.com"}, "name"),
        ({"networkCidr": "10.1.0.0/16"}, "networkCidr"),
        ({"clusterCidr": "100.96.0.0/11"}, "clusterCidr"),
        ({"controlPlane": {"count": 1}}, "controlPlane"),
        ({"zones": ["us-east-1c", "us-east-1a"]}, "controlPlane"),
        ({"zones": ["us-east-1a", "us-east-1c", "us-east-1d"]}, "controlPlane"),
    ],
)
def test_what_kops_cannot_change_is_its_identity(config: Inputs, changes: Inputs, key: str) -> None:
    before, after = identity(config, {}), identity(config, changes)
    assert {each for each in before if before[each] != after[each]} == {f"cluster.{key}"}


def test_a_zone_for_nodes_alone_makes_no_other_cluster(config: Inputs) -> None:
    placed = {"controlPlane": {"count": 3, "zones": ["us-east-1a", "us-east-1c"]}}
    more = {**placed, "zones": ["us-east-1d", "us-east-1a", "us-east-1c"], "kubernetesVersion": "1.36.0"}
    assert identity(config, placed) == identity(config, more)


@pytest.mark.parametrize("protect", [True, False])
def test_it_is_not_deleted_unless_the_stack_says_so(kops: Inputs, protect: bool) -> None:
    assert declare(kops | {"protect": protect}).one("KopsSpec").protect == protect
