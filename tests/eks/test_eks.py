"""The driver eks with `pulumi`, on an emulated AWS that only the driver fills."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from infra.cluster.eks.versions import ADDONS
from tests.conformance import stack as stacks
from tests.conformance.stack import Stack
from tests.eks import cloud as testing
from tests.eks.cloud import Cloud

ADMIN = "arn:aws:iam::123456789012:role/ops"
NAME = "useast1-dev"
NODES = {"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}
CLUSTER = {
    "driver": "eks",
    "name": NAME,
    "kubernetesVersion": "1.34",
    "zones": ["us-east-1a", "us-east-1c"],
    "nodes": [NODES],
    "admins": [ADMIN],
}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with testing.cloud(tmp_path_factory.mktemp("cloud")) as made:
        made.client("iam").create_role(RoleName="ops", AssumeRolePolicyDocument="{}")
        yield made


@pytest.fixture(scope="module", name="made")
def _made(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    access = {"AWS_ACCESS_KEY_ID": testing.KEY, "AWS_SECRET_ACCESS_KEY": testing.SECRET}
    home = tmp_path_factory.mktemp("stack")
    made = stacks.project(home, endpoint=cloud.url, variables=access, tags={"stack": "dev"})
    made.configure(**CLUSTER)
    planned = made.plan()
    assert "Cluster cluster" in planned
    assert made.changes().keys() == planned.keys()
    return made


def node_group(cloud: Cloud) -> dict[str, Any]:
    eks = cloud.client("eks")
    (name,) = eks.list_nodegroups(clusterName=NAME)["nodegroups"]
    return dict(eks.describe_nodegroup(clusterName=NAME, nodegroupName=name)["nodegroup"])


def test_it_is_made_as_the_settings_say(made: Stack, cloud: Cloud) -> None:
    eks = cloud.client("eks")
    cluster = eks.describe_cluster(name=NAME)["cluster"]
    assert (cluster["status"], cluster["version"], cluster["tags"]["stack"]) == ("ACTIVE", "1.34", "dev")
    addons = {name: eks.describe_addon(clusterName=NAME, addonName=name)["addon"] for name in ADDONS["1.34"]}
    assert {name: each["addonVersion"] for name, each in addons.items()} == ADDONS["1.34"]
    assert node_group(cloud)["scalingConfig"] == {"minSize": 2, "maxSize": 4, "desiredSize": 2}
    held = eks.list_associated_access_policies(clusterName=NAME, principalArn=ADMIN)["associatedAccessPolicies"]
    assert [each["policyArn"].rpartition("/")[2] for each in held] == ["AmazonEKSClusterAdminPolicy"]


def test_a_group_grows_in_place_and_another_joins_it(made: Stack, cloud: Cloud) -> None:
    made.configure(
        nodes=[NODES | {"min": 3, "max": 6, "desired": 3}, NODES | {"name": "spot", "spot": True, "desired": 3}]
    )
    steps = made.changes()
    assert {name: op for name, op in steps.items() if op != "create"} == {"NodeGroup cluster-nodes": "update"}
    assert set(steps) == {"NodeGroup cluster-nodes", "NodeGroup cluster-spot", "LaunchTemplate cluster-spot"}
    eks = cloud.client("eks")
    groups = [
        eks.describe_nodegroup(clusterName=NAME, nodegroupName=each)["nodegroup"]
        for each in eks.list_nodegroups(clusterName=NAME)["nodegroups"]
    ]
    assert {each["capacityType"]: each["scalingConfig"]["desiredSize"] for each in groups} == {
        "ON_DEMAND": 3,
        "SPOT": 3,
    }
    made.configure(nodes=[NODES])
    assert made.changes()["NodeGroup cluster-spot"] == "delete"


def test_an_autoscaler_has_the_word_where_there_is_room_and_the_settings_name_no_number(
    made: Stack, cloud: Cloud
) -> None:
    def scale(**sizes: int) -> None:
        name = node_group(cloud)["nodegroupName"]
        cloud.client("eks").update_nodegroup_config(clusterName=NAME, nodegroupName=name, scalingConfig=sizes)

    scale(desiredSize=4)
    made.run("refresh", "--yes", "--skip-preview")
    assert made.changes() == {}
    made.configure(nodes=[NODES | {"max": 5}])
    assert made.changes() == {"NodeGroup cluster-nodes": "update"}
    assert node_group(cloud)["scalingConfig"] == {"minSize": 2, "maxSize": 5, "desiredSize": 4}
    # EKS refuses a desired size below the minimum, and the settings give no desired size.
    made.configure(nodes=[NODES | {"min": 5, "max": 6}])
    made.up(code=1)
    made.configure(nodes=[NODES | {"min": 5, "max": 6, "desired": 5}])
    made.changes()
    assert node_group(cloud)["scalingConfig"] == {"minSize": 5, "maxSize": 6, "desiredSize": 5}
    made.configure(nodes=[NODES])
    scale(desiredSize=4, minSize=2)
    made.run("refresh", "--yes", "--skip-preview")
    assert made.changes() == {"NodeGroup cluster-nodes": "update"}


def test_a_new_disk_rolls_the_machines_by_another_version_of_their_template(made: Stack, cloud: Cloud) -> None:
    old = node_group(cloud)["launchTemplate"]
    made.configure(nodes=[NODES | {"diskGib": 40}])
    assert made.changes() == {"LaunchTemplate cluster-nodes": "update", "NodeGroup cluster-nodes": "update"}
    new = node_group(cloud)["launchTemplate"]
    assert (new["id"], int(new["version"])) == (old["id"], int(old["version"]) + 1)


def test_the_control_plane_is_upgraded_before_its_machines_and_add_ons(made: Stack, cloud: Cloud) -> None:
    made.configure(kubernetesVersion="1.35")
    steps = list(made.changes())
    assert steps[0] == "Cluster cluster"
    changed = [name for name, version in ADDONS["1.35"].items() if ADDONS["1.34"][name] != version]
    assert {step.removeprefix("Addon cluster-").removeprefix("node-") for step in steps if "Addon" in step} == {
        *changed
    }
    assert "NodeGroup cluster-nodes" in steps
    control_plane = cloud.client("eks").describe_cluster(name=NAME)["cluster"]
    assert (control_plane["version"], node_group(cloud)["version"]) == ("1.35", "1.35")
    assert made.changes() == {}


def test_what_was_changed_by_hand_is_found_and_mended(made: Stack, cloud: Cloud) -> None:
    eks, group = cloud.client("eks"), node_group(cloud)
    eks.update_nodegroup_config(
        clusterName=NAME, nodegroupName=group["nodegroupName"], scalingConfig={"minSize": 0, "maxSize": 9}
    )
    eks.update_cluster_config(name=NAME, resourcesVpcConfig={"publicAccessCidrs": ["198.51.100.0/24"]})
    eks.delete_addon(clusterName=NAME, addonName="coredns")
    eks.delete_access_entry(clusterName=NAME, principalArn=ADMIN)
    made.run("refresh", "--yes", "--skip-preview")
    assert made.changes() == {
        "Cluster cluster": "update",
        "NodeGroup cluster-nodes": "update",
        "Addon cluster-coredns": "create",
        "AccessEntry cluster-123456789012-role/ops": "create",
        "AccessPolicyAssociation cluster-123456789012-role/ops": "create",
    }
    assert node_group(cloud)["scalingConfig"]["minSize"] == 2
    assert made.changes() == {}


def test_a_changed_endpoint_or_authority_is_no_change_of_the_cluster(made: Stack, cloud: Cloud) -> None:
    state = json.loads(made.run("stack", "export"))
    for each in state["deployment"]["resources"]:
        if each["type"] == "aws:eks/cluster:Cluster":
            each["outputs"]["endpoint"] = "https://another.example.test"
            each["outputs"]["certificateAuthority"] = {"data": "b3RoZXI="}
    (made.folder / "state.json").write_text(json.dumps(state))
    made.run("stack", "import", "--file", "state.json")
    assert made.plan() == {}
    made.run("refresh", "--yes", "--skip-preview")
    assert made.plan() == {}
