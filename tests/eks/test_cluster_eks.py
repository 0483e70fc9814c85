"""The driver eks without an engine: its settings, its place in the graph, and mistakes that nobody would notice.

tests/eks/test_eks.py runs `pulumi` with an emulated AWS.
"""

import ipaddress
import itertools
import json
from typing import Any

import pytest
import yaml

from infra.cluster.eks import network
from infra.cluster.eks.versions import ADDONS, NAMES
from tests.example import Inputs, settings
from tests.fast.graph import ABSENT, changed, refused
from tests.recorder import UNKNOWN, Declared, Graph, Secret, declare

NAME = "useast1-dev"
ADMIN = "arn:aws:iam::000000000000:role/team/ops"
KEY = "arn:aws:test:us-east-1:000000000000:cluster"
NODES = {"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}
CLUSTER: Inputs = {
    "driver": "eks",
    "name": NAME,
    "kubernetesVersion": "1.35",
    "zones": ["us-east-1a", "us-east-1c"],
    "nodes": [NODES],
}


@pytest.fixture(name="eks")
def _eks(config: Inputs) -> Inputs:
    return config | {"cluster": CLUSTER}


@pytest.fixture(scope="module", name="graph")
def _graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    config = settings(tmp_path_factory.mktemp("project"))
    return declare(config | {"cluster": CLUSTER | {"admins": [ADMIN]}})


# A change of the cluster's keys, and the only key that is refused for it. tests/kops/test_cluster_kops.py has the
# changes that every cluster of EC2 machines refuses.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the name is missing": ({"name": ABSENT}, "cluster.name"),
    "the name has a dot, which EKS does not take": ({"name": "useast1.dev"}, "cluster.name"),
    "the name is too long to make others of": ({"name": "a" * 64}, "cluster.name"),
    "the version is missing": ({"kubernetesVersion": ABSENT}, "cluster.kubernetesVersion"),
    "the version is no text": ({"kubernetesVersion": 1.35}, "cluster.kubernetesVersion"),
    "the version has three numbers": ({"kubernetesVersion": "1.35.7"}, "cluster.kubernetesVersion"),
    "EKS has the version no more": ({"kubernetesVersion": "1.24"}, "cluster.kubernetesVersion"),
    "EKS has the version not yet": ({"kubernetesVersion": "1.99"}, "cluster.kubernetesVersion"),
    "there is one zone": ({"zones": ["us-east-1a"]}, "cluster.zones"),
    "a group runs more than its most": ({"nodes": [NODES | {"desired": 5}]}, "cluster.nodes[0].desired"),
    "a group runs fewer than its least": ({"nodes": [NODES | {"desired": 1}]}, "cluster.nodes[0].desired"),
    "a group's name leaves no room for Pulumi's own": (
        {"nodes": [NODES | {"name": "n" * 41}]},
        "cluster.nodes[0].name",
    ),
    "a disk is too small for the machines' image": ({"nodes": [NODES | {"diskGib": 8}]}, "cluster.nodes[0].diskGib"),
    "the networks overlap": ({"serviceCidr": "10.0.128.0/20"}, "cluster.serviceCidr"),
    "the network is none": ({"networkCidr": "10.0.0.0/33"}, "cluster.networkCidr"),
    "the network is larger than AWS's": ({"networkCidr": "10.0.0.0/8"}, "cluster.networkCidr"),
    "its subnets would be too small": ({"networkCidr": "10.0.0.0/21"}, "cluster.networkCidr"),
    "the Services' network is public": ({"serviceCidr": "203.0.113.0/24"}, "cluster.serviceCidr"),
    "the Services' network is too small": ({"serviceCidr": "172.20.0.0/25"}, "cluster.serviceCidr"),
    "the gateways are unknown": ({"nat": "per_zone"}, "cluster.nat"),
    "who reaches the API is an address": ({"apiAccess": ["192.0.2.7"]}, "cluster.apiAccess[0]"),
    "who reaches the public API is private": ({"apiAccess": ["10.0.0.0/8"]}, "cluster.apiAccess[0]"),
    "an administrator is a session": (
        {"admins": ["arn:aws:sts::000000000000:assumed-role/ops/me"]},
        "cluster.admins[0]",
    ),
    "an administrator is there twice": ({"admins": [ADMIN, ADMIN]}, "cluster.admins"),
    "CloudWatch knows no such span": ({"logRetentionDays": 31}, "cluster.logRetentionDays"),
    "the support is unknown": ({"support": "standard"}, "cluster.support"),
    "an add-on is unknown": ({"addons": {"vpc-cmi": "v1.0.0-eksbuild.1"}}, "cluster.addons.vpc-cmi"),
    "an add-on's version is none": ({"addons": {"coredns": "latest"}}, "cluster.addons.coredns"),
    "kube-proxy is of another Kubernetes": (
        {"addons": {"kube-proxy": "v1.34.6-eksbuild.13"}},
        "cluster.addons.kube-proxy",
    ),
    "it has the key of another driver": ({"kubeconfigFile": "x"}, "cluster.kubeconfigFile"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_when(eks: Inputs, case: str) -> None:
    changes, key = REFUSED[case]
    (problem,) = refused(changed(eks, {f"cluster.{key}": value for key, value in changes.items()}))
    assert problem.key == key


@pytest.mark.parametrize("version", ADDONS)
def test_every_version_has_every_add_on(eks: Inputs, version: str) -> None:
    graph = declare(changed(eks, {"cluster.kubernetesVersion": version}))
    pinned = {each.inputs["addonName"]: each.inputs["addonVersion"] for each in graph.of("Addon")}
    assert pinned == {name: ADDONS[version][name] for name in NAMES}
    assert graph.one("aws:eks/cluster:Cluster").inputs["version"] == version


# The network.


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "192.168.16.0/20"])
def test_no_two_subnets_overlap_and_all_are_in_the_vpc(cidr: str) -> None:
    blocks = [each for letter in "abcdefg" for each in network.subnets(cidr, f"us-east-1{letter}").values()]
    networks = [ipaddress.ip_network(each) for each in blocks]
    assert len(networks) == 14
    assert all(each.subnet_of(ipaddress.ip_network(cidr)) for each in networks)  # type: ignore[arg-type]  # all of IPv4
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))
    # AWS requires at least a /27 for a load balancer's subnet, and reserves five addresses in each.
    assert max(each.prefixlen for each in networks) <= 27


def test_a_zone_that_comes_moves_no_other(eks: Inputs) -> None:
    def subnets(*zones: str) -> dict[str, str]:
        graph = declare(changed(eks, {"cluster.zones": list(zones)}))
        return {each.name: each.inputs["cidrBlock"] for each in graph.of("Subnet")}

    two = subnets("us-east-1a", "us-east-1c")
    assert subnets("us-east-1b", "us-east-1c", "us-east-1a").items() >= two.items()


def test_balancers_find_their_subnets(graph: Graph) -> None:
    for kind, role in {"public": "elb", "private": "internal-elb"}.items():
        found = [each.inputs["tags"] for each in graph.of("Subnet") if f"-{kind}-" in each.name]
        assert len(found) == 2
        for tags in found:
            assert tags[f"kubernetes.io/role/{role}"] == "1"
            assert tags[f"kubernetes.io/cluster/{NAME}"] == "shared"
            assert len([key for key in tags if key.startswith("kubernetes.io/role/")]) == 1


@pytest.mark.parametrize(("nat", "gateways"), [("single", 1), ("per-zone", 2)])
def test_nodes_reach_out_by_one_gateway_or_their_own_zone_s(eks: Inputs, nat: str, gateways: int) -> None:
    graph = declare(changed(eks, {"cluster.nat": nat}))
    assert len(graph.of("NatGateway")) == len(graph.of("Eip")) == gateways
    ways = {each.inputs["natGatewayId"] for each in graph.of("Route") if each.inputs.get("natGatewayId")}
    assert len(ways) == gateways
    assert {each.inputs["destinationCidrBlock"] for each in graph.of("Route")} == {"0.0.0.0/0"}
    assert len(graph.of("Route")) == 3


# Security.


def test_the_cluster_s_secrets_are_encrypted_its_logs_kept_and_its_doors_known(graph: Graph) -> None:
    cluster = graph.one("aws:eks/cluster:Cluster").inputs
    assert cluster["encryptionConfig"] == {"provider": {"keyArn": KEY}, "resources": ["secrets"]}
    assert set(cluster["enabledClusterLogTypes"]) == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    logs = graph.one("LogGroup")
    assert (logs.inputs["name"], logs.inputs["retentionInDays"]) == (f"/aws/eks/{NAME}/cluster", 30)
    assert cluster["accessConfig"] == {
        "authenticationMode": "API",
        "bootstrapClusterCreatorAdminPermissions": True,
    }
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["bootstrapSelfManagedAddons"] is False
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    key = graph.one("aws:kms/key:Key").inputs
    assert (key["enableKeyRotation"], key["deletionWindowInDays"]) == (True, 30)


@pytest.mark.parametrize(
    ("access", "public", "cidrs"),
    [
        (None, True, ["0.0.0.0/0"]),
        (["203.0.113.0/24"], True, ["203.0.113.0/24"]),
        ([], False, None),
    ],
)
def test_the_public_endpoint_is_for_whom_the_stack_says(eks: Inputs, access: Any, public: bool, cidrs: Any) -> None:
    config = eks if access is None else changed(eks, {"cluster.apiAccess": access})
    network = declare(config).one("aws:eks/cluster:Cluster").inputs["vpcConfig"]
    assert (network["endpointPublicAccess"], network.get("publicAccessCidrs")) == (public, cidrs)


def test_a_machine_s_role_is_for_the_machine_alone_and_its_disk_encrypted(graph: Graph) -> None:
    template = graph.one("LaunchTemplate").inputs
    assert template["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    (disk,) = template["blockDeviceMappings"]
    assert (disk["ebs"]["encrypted"], disk["ebs"]["volumeType"], disk["ebs"]["volumeSize"]) == ("true", "gp3", 20)
    assert {each["resourceType"] for each in template["tagSpecifications"]} == {"instance", "volume"}
    assert all(each["tags"]["project"] == "ejemplo-django" for each in template["tagSpecifications"])


def test_no_role_has_more_than_its_work_needs(graph: Graph) -> None:
    attached = {
        (each.inputs["role"], each.inputs["policyArn"].rpartition("/")[2]) for each in graph.of("RolePolicyAttachment")
    }
    assert attached == {
        ("cluster-control-plane", "AmazonEKSClusterPolicy"),
        ("cluster-nodes", "AmazonEKSWorkerNodePolicy"),
        ("cluster-nodes", "AmazonEC2ContainerRegistryPullOnly"),
        ("cluster-node-vpc-cni", "AmazonEKS_CNI_Policy"),
    }
    trusted = {
        each.name: json.loads(each.inputs["assumeRolePolicy"])["Statement"][0]["Principal"] for each in graph.of("Role")
    }
    assert trusted == {
        "cluster-control-plane": {"Service": "eks.amazonaws.com"},
        "cluster-nodes": {"Service": "ec2.amazonaws.com"},
        "cluster-node-vpc-cni": {"Service": "pods.eks.amazonaws.com"},
    }
    (cni,) = [each.inputs for each in graph.of("Addon") if each.inputs["addonName"] == "vpc-cni"]
    assert [each["serviceAccount"] for each in cni["podIdentityAssociations"]] == ["aws-node"]


def test_an_administrator_has_an_entry_and_the_policy_for_the_whole_cluster(graph: Graph) -> None:
    entry, permission = graph.one("AccessEntry").inputs, graph.one("AccessPolicyAssociation").inputs
    assert entry["principalArn"] == permission["principalArn"] == ADMIN
    assert permission["policyArn"].endswith(":cluster-access-policy/AmazonEKSClusterAdminPolicy")
    assert permission["accessScope"] == {"type": "cluster"}


# The order of creation; deletion runs in reverse.


def all_before(graph: Graph, one: Declared) -> set[str]:
    """Return the URNs of everything that must exist before a resource."""
    by_urn = {each.urn: each for each in graph.declared}
    found: set[str] = set()
    waiting = [one]
    while waiting:
        each = waiting.pop()
        for urn in each.dependencies:
            if urn not in found and urn in by_urn:
                found.add(urn)
                waiting.append(by_urn[urn])
    return found


def test_machines_come_after_their_way_out_and_what_each_runs(graph: Graph) -> None:
    before = all_before(graph, graph.one("NodeGroup"))
    needed = [*graph.of("Route"), *graph.of("RouteTableAssociation"), *graph.of("RolePolicyAttachment")]
    needed += [each for each in graph.of("Addon") if each.name.startswith("cluster-node-")]
    assert {each.urn for each in needed} <= before
    late = {each.urn for each in graph.of("Addon")} - before
    assert {urn.rpartition("::")[2] for urn in late} == {"cluster-coredns", "cluster-metrics-server"}


def test_the_log_group_is_there_before_eks_would_make_one(graph: Graph) -> None:
    assert graph.one("LogGroup").urn in all_before(graph, graph.one("aws:eks/cluster:Cluster"))


def test_balancers_and_pods_leave_before_machines_add_ons_and_network(graph: Graph) -> None:
    provider = graph.one("pulumi:providers:kubernetes")
    before = all_before(graph, provider)
    kinds = ("NodeGroup", "Addon", "Route", "NatGateway", "AccessEntry", "AccessPolicyAssociation")
    assert {each.urn for kind in kinds for each in graph.of(kind)} <= before


# The kubeconfig.


def test_the_kubeconfig_has_no_credential_and_is_secret(graph: Graph) -> None:
    exported = graph.exports["kubeconfig"]
    assert isinstance(exported, Secret)
    kubeconfig = yaml.safe_load(str(exported.value))
    (user,) = kubeconfig["users"]
    assert user["user"].keys() == {"exec"}
    command = user["user"]["exec"]
    assert command["apiVersion"] == "client.authentication.k8s.io/v1beta1"
    assert " ".join([command["command"], *command["args"]]).startswith(
        f"aws eks get-token --cluster-name {NAME} --region us-east-1"
    )
    assert kubeconfig["current-context"] == kubeconfig["contexts"][0]["name"]
    assert kubeconfig["clusters"][0]["cluster"]["server"] == "https://eks.example.test"


def test_the_cluster_is_known_by_its_name_before_it_is_there(eks: Inputs) -> None:
    graph = declare(eks, preview=True)
    provider = graph.one("pulumi:providers:kubernetes").inputs
    assert provider["clusterIdentifier"] == NAME
    assert provider["kubeconfig"] == UNKNOWN or provider["kubeconfig"] == Secret(UNKNOWN)
    assert graph.exports["clusterName"] == NAME


def test_a_preview_declares_what_an_up_declares(eks: Inputs) -> None:
    up, preview = declare(eks), declare(eks, preview=True)
    assert sorted(each.urn for each in preview.declared) == sorted(each.urn for each in up.declared)


def test_an_endpoint_speaks_for_every_service_of_the_cluster_too(eks: Inputs) -> None:
    graph = declare(changed(eks, {"aws.endpoint": "http://127.0.0.1:4566"}))
    (endpoints,) = json.loads(graph.one("pulumi:providers:aws").inputs["endpoints"])
    used = {each.type.split(":")[1].split("/")[0] for each in graph.declared if each.type.startswith("aws:")}
    # pulumi-aws has log groups in its module `cloudwatch`, but CloudWatch Logs has its own endpoint.
    assert (used - {"cloudwatch"}) | {"logs"} <= endpoints.keys()


# The identity, which cannot change.


def identity(config: Inputs, changes: Inputs) -> Inputs:
    given: Inputs = declare(config | {"cluster": CLUSTER | changes}).one("ClusterIdentity").inputs["identity"]
    return given


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"networkCidr": "10.1.0.0/16"},
        {"serviceCidr": "10.100.0.0/16"},
        {"zones": ["us-east-1a", "us-east-1c", "us-east-1d"]},
        {"zones": ["us-east-1c", "us-east-1a"]},
    ],
)
def test_what_eks_changes_in_no_cluster_is_its_identity(config: Inputs, changes: Inputs) -> None:
    before, after = identity(config, {}), identity(config, changes)
    assert {key for key in before if before[key] != after[key]} == {f"cluster.{key}" for key in changes}


def test_what_eks_changes_in_place_is_not(config: Inputs) -> None:
    others = {"kubernetesVersion": "1.34", "nat": "per-zone", "apiAccess": [], "admins": [ADMIN]}
    assert identity(config, others) == identity(config, {})


@pytest.mark.parametrize("protect", [True, False])
def test_neither_pulumi_nor_eks_deletes_it_unless_the_stack_says_so(eks: Inputs, protect: bool) -> None:
    graph = declare(eks | {"protect": protect})
    cluster = graph.one("Cluster")
    assert (cluster.protect, cluster.inputs["deletionProtection"]) == (protect, protect)
    assert graph.one("Key").protect == protect
