"""The driver eks with `pulumi` itself, on an AWS of loopback that nothing but the driver fills."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.cluster.eks.versions import ADDONS
from tests.eks import cloud as testing
from tests.eks.cloud import Cloud
from tests.eks.stack import NAME, NODES, Stack, stack

pytestmark = pytest.mark.timeout(600)

ADMIN = "arn:aws:iam::123456789012:role/ops"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with testing.cloud(tmp_path_factory.mktemp("cloud")) as made:
        made.client("iam").create_role(RoleName="ops", AssumeRolePolicyDocument="{}")
        yield made


@pytest.fixture(scope="module")
def before(cloud: Cloud) -> dict[str, list[str]]:
    """What is there before the driver."""
    return cloud.left()


@pytest.fixture(scope="module", name="made")
def _made(cloud: Cloud, before: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory) -> Stack:
    made = stack(cloud, tmp_path_factory.mktemp("stack"))
    made.configure(admins=[ADMIN])
    planned = made.preview()
    assert "Cluster cluster" in planned
    assert set(made.up()) == set(planned)
    return made


def node_group(cloud: Cloud) -> dict[str, Any]:
    eks = cloud.client("eks")
    (name,) = eks.list_nodegroups(clusterName=NAME)["nodegroups"]
    return dict(eks.describe_nodegroup(clusterName=NAME, nodegroupName=name)["nodegroup"])


def test_it_is_made_as_the_settings_say(made: Stack, cloud: Cloud) -> None:
    eks = cloud.client("eks")
    cluster = eks.describe_cluster(name=NAME)["cluster"]
    assert (cluster["status"], cluster["version"], cluster["tags"]) == ("ACTIVE", "1.34", {"stack": "dev"})
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    assert cluster["upgradePolicy"] == {"supportType": "STANDARD"}
    addons = {name: eks.describe_addon(clusterName=NAME, addonName=name)["addon"] for name in ADDONS["1.34"]}
    assert {name: each["addonVersion"] for name, each in addons.items()} == ADDONS["1.34"]
    assert node_group(cloud)["scalingConfig"] == {"minSize": 2, "maxSize": 4, "desiredSize": 2}
    held = eks.list_associated_access_policies(clusterName=NAME, principalArn=ADMIN)["associatedAccessPolicies"]
    assert [each["policyArn"].rpartition("/")[2] for each in held] == ["AmazonEKSClusterAdminPolicy"]
    users = made.kubeconfig()["users"]
    assert users[0]["user"]["exec"]["command"] == "aws"


def test_a_second_up_and_one_after_a_refresh_change_nothing(made: Stack) -> None:
    assert made.up() == {}
    made.run("refresh", "--yes", "--skip-preview")
    assert made.up() == {}


def test_a_group_grows_in_place_and_another_joins_it(made: Stack, cloud: Cloud) -> None:
    made.configure(nodes=[NODES | {"min": 3, "max": 6}, NODES | {"name": "spot", "spot": True, "desired": 3}])
    steps = made.up()
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
    assert made.up()["NodeGroup cluster-spot"] == "delete"


def test_a_new_disk_rolls_the_machines_by_another_version_of_their_template(made: Stack, cloud: Cloud) -> None:
    old = node_group(cloud)["launchTemplate"]
    made.configure(nodes=[NODES | {"diskGib": 40}])
    assert made.up() == {"LaunchTemplate cluster-nodes": "update", "NodeGroup cluster-nodes": "update"}
    new = node_group(cloud)["launchTemplate"]
    assert (new["id"], int(new["version"])) == (old["id"], int(old["version"]) + 1)


def test_the_control_plane_is_upgraded_before_its_machines_and_add_ons(made: Stack, cloud: Cloud) -> None:
    made.configure(kubernetesVersion="1.35")
    steps = list(made.up())
    assert steps[0] == "Cluster cluster"
    changed = [name for name, version in ADDONS["1.35"].items() if ADDONS["1.34"][name] != version]
    assert {step.removeprefix("Addon cluster-").removeprefix("node-") for step in steps if "Addon" in step} == {
        *changed
    }
    assert "NodeGroup cluster-nodes" in steps
    control_plane = cloud.client("eks").describe_cluster(name=NAME)["cluster"]
    assert (control_plane["version"], node_group(cloud)["version"]) == ("1.35", "1.35")
    assert made.up() == {}


def test_what_was_changed_by_hand_is_found_and_mended(made: Stack, cloud: Cloud) -> None:
    eks, group = cloud.client("eks"), node_group(cloud)
    eks.update_nodegroup_config(
        clusterName=NAME, nodegroupName=group["nodegroupName"], scalingConfig={"minSize": 0, "maxSize": 9}
    )
    eks.update_cluster_config(name=NAME, resourcesVpcConfig={"publicAccessCidrs": ["198.51.100.0/24"]})
    eks.delete_addon(clusterName=NAME, addonName="coredns")
    eks.delete_access_entry(clusterName=NAME, principalArn=ADMIN)
    made.run("refresh", "--yes", "--skip-preview")
    assert made.up() == {
        "Cluster cluster": "update",
        "NodeGroup cluster-nodes": "update",
        "Addon cluster-coredns": "create",
        "AccessEntry cluster-123456789012-role/ops": "create",
        "AccessPolicyAssociation cluster-123456789012-role/ops": "create",
    }
    assert node_group(cloud)["scalingConfig"]["minSize"] == 2
    assert made.up() == {}


def test_a_changed_endpoint_or_authority_is_no_change_of_the_cluster(made: Stack, cloud: Cloud) -> None:
    state = json.loads(made.state())
    for each in state["deployment"]["resources"]:
        if each["type"] == "aws:eks/cluster:Cluster":
            each["outputs"]["endpoint"] = "https://another.example.test"
            each["outputs"]["certificateAuthority"] = {"data": "b3RoZXI="}
    (made.project.folder / "state.json").write_text(json.dumps(state))
    made.run("stack", "import", "--file", "state.json")
    assert made.preview() == {}
    made.run("refresh", "--yes", "--skip-preview")
    assert made.preview() == {}


def test_no_long_lived_credential_is_in_the_state(made: Stack) -> None:
    state = made.state()
    assert testing.SECRET not in state
    assert "client-key-data" not in json.dumps(made.kubeconfig())


def test_destroyed_nothing_of_it_is_left(made: Stack, cloud: Cloud, before: dict[str, list[str]]) -> None:
    made.destroy()
    assert cloud.left() == before


def test_a_failure_midway_is_told_and_the_next_up_goes_on(
    cloud: Cloud, before: dict[str, list[str]], tmp_path: Path
) -> None:
    # A log group of that name by somebody else: the cluster is not made, and nothing of what is there is lost.
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName=f"/aws/eks/{NAME}/cluster")
    made = stack(cloud, tmp_path)
    made.up(fails=True)
    assert cloud.client("eks").list_clusters()["clusters"] == []
    vpcs = cloud.left()["vpc"]
    logs.delete_log_group(logGroupName=f"/aws/eks/{NAME}/cluster")
    steps = made.up()
    assert "Vpc cluster" not in steps
    assert steps["Cluster cluster"] == "create"
    assert cloud.left()["vpc"] == vpcs
    made.destroy()
    assert cloud.left() == before
