"""The stand-in's types of EKS, driven over its protocol, against the sandbox's EKS on loopback."""

import json
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from sandbox.plugins.aws.client import SERVICES
from sandbox.plugins.aws.plugin import plugin
from tests.eks import cloud as testing
from tests.eks.cloud import Cloud
from tests.fast.plugin_engine import Engine, RefusedError, Resource, engine

pytestmark = pytest.mark.timeout(300)

CLUSTER, GROUP = "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup"
ADDON, ENTRY = "aws:eks/addon:Addon", "aws:eks/accessEntry:AccessEntry"
PERMISSION = "aws:eks/accessPolicyAssociation:AccessPolicyAssociation"
ROLE = "arn:aws:iam::123456789012:role/eks"
NAME = "c"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with testing.cloud(tmp_path_factory.mktemp("cloud")) as made:
        made.client("iam").create_role(RoleName="eks", AssumeRolePolicyDocument="{}")
        yield made


@pytest.fixture(scope="module")
def subnets(cloud: Cloud) -> list[str]:
    """Two in as many zones, of the network that every account has."""
    found = cloud.client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    return [each["SubnetId"] for each in found[:2]]


@pytest.fixture(scope="module")
def aws(cloud: Cloud) -> Iterator[Engine]:
    config = {
        "region": testing.REGION,
        "endpoints": json.dumps([dict.fromkeys(SERVICES, cloud.url)]),
        "defaultTags": json.dumps({"tags": {"app": "ejemplo"}}),
    }
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", testing.KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", testing.SECRET)
        with engine(plugin(), **config) as speaking:
            yield speaking


@pytest.fixture
def inputs(subnets: list[str]) -> dict[str, Any]:
    return {
        "name": NAME,
        "version": "1.34",
        "roleArn": ROLE,
        "vpcConfig": {"subnetIds": subnets, "endpointPrivateAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]},
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": True},
        "enabledClusterLogTypes": ["audit", "api"],
        "upgradePolicy": {"supportType": "STANDARD"},
    }


@pytest.fixture
def cluster(aws: Engine, inputs: dict[str, Any]) -> Iterator[Resource]:
    made = aws.create(CLUSTER, inputs)
    yield made
    aws.delete(made)
    assert aws.refresh(made) is None


def group(subnets: list[str], **changes: Any) -> dict[str, Any]:
    return {
        "clusterName": NAME,
        "nodeRoleArn": ROLE,
        "subnetIds": subnets,
        "version": "1.34",
        "instanceTypes": ["t3.medium"],
        "scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 1},
        "updateConfig": {"maxUnavailable": 1},
    } | changes


def test_a_cluster_tells_where_it_is_and_is_as_asked(aws: Engine, cluster: Resource, inputs: dict[str, Any]) -> None:
    assert cluster.state["endpoint"].startswith("https://")
    assert cluster.state["certificateAuthority"]["data"]
    assert cluster.state["tagsAll"] == {"app": "ejemplo"}
    assert aws.refreshed(cluster) == cluster
    backwards = inputs["vpcConfig"] | {"subnetIds": inputs["vpcConfig"]["subnetIds"][::-1]}
    same = inputs | {"vpcConfig": backwards, "enabledClusterLogTypes": ["api", "audit"]}
    assert aws.changes(cluster, same) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.35"},
        {"enabledClusterLogTypes": ["scheduler"]},
        {"upgradePolicy": {"supportType": "EXTENDED"}},
        {"tags": {"own": "yes"}},
        {"vpcConfig": {"endpointPrivateAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_a_cluster_changes_in_place(
    aws: Engine, cluster: Resource, inputs: dict[str, Any], change: dict[str, Any]
) -> None:
    if "vpcConfig" in change:
        change = {"vpcConfig": inputs["vpcConfig"] | change["vpcConfig"]}
    found = aws.changes(cluster, inputs | change)
    assert found
    assert not any("REPLACE" in kind for kind in found.values())
    changed = aws.update(cluster, inputs | change)
    assert aws.refreshed(changed) == changed
    assert aws.changes(changed, inputs | change) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"roleArn": f"{ROLE}-other"},
        {"bootstrapSelfManagedAddons": False},
        {"kubernetesNetworkConfig": {"serviceIpv4Cidr": "172.21.0.0/16"}},
        {"accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_a_cluster_is_another_with(
    aws: Engine, cluster: Resource, inputs: dict[str, Any], change: dict[str, Any]
) -> None:
    assert all("REPLACE" in kind for kind in aws.changes(cluster, inputs | change).values())
    assert aws.changes(cluster, inputs | change)


def test_an_upgrade_that_eks_refuses_says_so(aws: Engine, cluster: Resource, inputs: dict[str, Any]) -> None:
    with pytest.raises(grpc.RpcError, match=r"updating EKS Cluster \(c\): InvalidParameterException: .*1.34 to 1.36"):
        aws.update(cluster, inputs | {"version": "1.36"})


def test_a_cluster_with_a_node_group_is_not_deleted_under_it(
    aws: Engine, cluster: Resource, subnets: list[str], cloud: Cloud
) -> None:
    made = aws.create(GROUP, group(subnets))
    with pytest.raises(grpc.RpcError, match="ResourceInUseException"):
        cloud_delete(aws, cluster)
    aws.delete(made)
    assert aws.refresh(made) is None


def cloud_delete(aws: Engine, cluster: Resource) -> None:
    """Delete it, waiting for nothing."""
    from sandbox.plugins.aws import thing

    with pytest.MonkeyPatch.context() as patient:
        patient.setattr(thing, "IN_USE_SECONDS", 0)
        aws.delete(cluster)


def test_a_node_group_scales_and_is_labelled_in_place_and_rolls_to_a_version(
    aws: Engine, cluster: Resource, inputs: dict[str, Any], subnets: list[str]
) -> None:
    wanted = group(subnets)
    made = aws.create(GROUP, wanted)
    assert made.id.startswith(f"{NAME}:thing-")
    assert aws.refreshed(made) == made
    assert aws.changes(made, group(subnets[::-1])) == {}
    scaled = group(subnets, scalingConfig={"minSize": 2, "maxSize": 3, "desiredSize": 2}, labels={"a": "b"})
    changed = aws.update(made, scaled)
    assert aws.refreshed(changed).inputs["scalingConfig"]["desiredSize"] == 2
    assert aws.refreshed(changed).inputs["labels"] == {"a": "b"}
    aws.update(cluster, inputs | {"version": "1.35"})
    newer = aws.update(changed, scaled | {"version": "1.35"})
    assert aws.refreshed(newer).state["version"] == "1.35"
    for other in ({"instanceTypes": ["m7i.large"]}, {"subnetIds": subnets[:1]}, {"capacityType": "SPOT"}):
        assert all("REPLACE" in kind for kind in aws.changes(newer, scaled | {"version": "1.35"} | other).values())
    aws.delete(newer)


def test_a_node_group_ahead_of_its_control_plane_is_refused(aws: Engine, cluster: Resource, subnets: list[str]) -> None:
    with pytest.raises(grpc.RpcError, match=r"creating EKS Node Group .*: InvalidParameterException"):
        aws.create(GROUP, group(subnets, version="1.36"))


def test_an_add_on_is_moved_to_another_version_and_keeps_its_identity(
    aws: Engine, cluster: Resource, cloud: Cloud
) -> None:
    identity = {"roleArn": ROLE, "serviceAccount": "aws-node"}
    wanted = {
        "clusterName": NAME,
        "addonName": "vpc-cni",
        "addonVersion": "v1.20.4-eksbuild.1",
        "podIdentityAssociations": [identity],
        "resolveConflictsOnUpdate": "OVERWRITE",
    }
    made = aws.create(ADDON, wanted)
    assert made.id == f"{NAME}:vpc-cni"
    assert aws.refreshed(made) == made
    newer = aws.update(made, wanted | {"addonVersion": "v1.21.1-eksbuild.1"})
    live = aws.refreshed(newer).inputs
    assert (live["addonVersion"], live["podIdentityAssociations"]) == ("v1.21.1-eksbuild.1", [identity])
    with pytest.raises(grpc.RpcError, match="ResourceInUseException"):
        aws.create(ADDON, wanted)
    cloud.client("eks").delete_addon(clusterName=NAME, addonName="vpc-cni")
    assert aws.refresh(newer) is None
    aws.delete(newer)


def test_an_administrator_comes_and_goes(aws: Engine, cluster: Resource, cloud: Cloud) -> None:
    entry = aws.create(ENTRY, {"clusterName": NAME, "principalArn": ROLE})
    assert (entry.state["type"], entry.state["tagsAll"]) == ("STANDARD", {"app": "ejemplo"})
    assert aws.refreshed(entry) == entry
    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    permission = aws.create(
        PERMISSION,
        {"clusterName": NAME, "principalArn": ROLE, "policyArn": policy, "accessScope": {"type": "cluster"}},
    )
    assert aws.refreshed(permission) == permission
    tagged = aws.update(entry, {"clusterName": NAME, "principalArn": ROLE, "tags": {"own": "yes"}})
    assert aws.refreshed(tagged).state["tagsAll"] == {"app": "ejemplo", "own": "yes"}
    cloud.client("eks").delete_access_entry(clusterName=NAME, principalArn=ROLE)
    assert aws.refresh(permission) is None
    assert aws.refresh(tagged) is None
    aws.delete(permission)
    aws.delete(tagged)


@pytest.mark.parametrize("kind", [CLUSTER, GROUP, ADDON, ENTRY, PERMISSION])
def test_a_property_that_is_not_implemented_is_refused_by_name(aws: Engine, kind: str) -> None:
    with pytest.raises(RefusedError, match="somethingElse"):
        aws.check(kind, {"somethingElse": True})
