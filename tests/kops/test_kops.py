"""The driver kops: its plan, creation, changes, failures, retries and drift, without the engine and with `pulumi`.

No sandbox is needed: AWS is moto, and the machines are the stand-in's.
"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from pulumi.runtime import rpc

from infra.cluster.kops import command, manifests, plan
from infra.cluster.kops.command import KopsError, NotFoundError
from infra.cluster.kops.resources import AppliedProvider, ReadyProvider, SpecProvider
from tests.conformance import stack as engine
from tests.conformance.stack import Stack
from tests.kops import world as testing
from tests.kops.world import NAME, World, group, rendered
from tests.troubles import provoked

SPEC, APPLIED, READY = SpecProvider(), AppliedProvider(), ReadyProvider()
NEWER = rendered(kubernetes_version="1.36.3")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with testing.moto() as address:
        yield address


@pytest.fixture
def world(endpoint: str, tmp_path: Path) -> Iterator[World]:
    """Provide the stand-in, which fails on order and has machines that boot."""
    with testing.world(tmp_path, endpoint=endpoint, real=False) as made:
        yield made


@pytest.fixture(params=["the stand-in", "the real kops"])
def any_kops(request: pytest.FixtureRequest, endpoint: str, tmp_path: Path) -> Iterator[World]:
    """Provide each kops in turn, for tests that need no machine to boot."""
    real = request.param == "the real kops"
    if real and not testing.installed():
        pytest.skip("there is no kops on PATH")
    with testing.world(tmp_path, endpoint=endpoint, real=real) as made:
        yield made


def applied(world: World) -> dict[str, Any]:
    """Create the first two of the three resources; return their inputs."""
    props = world.props()
    SPEC.create(props)
    APPLIED.create(props)
    return props


def up(props: dict[str, Any]) -> dict[str, Any]:
    """Create the three resources; return the outputs of the last one."""
    SPEC.create(props)
    APPLIED.create(props)
    return dict(READY.create(props).outs or {})


def change(props: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """Replace the spec by another one and apply it; return the outputs."""
    SPEC.update(NAME, props, news)
    return dict(APPLIED.update(NAME, props, news).outs or {})


# With the stand-in and with the real kops.


def test_what_is_put_into_the_store_is_found_there_without_a_difference(any_kops: World) -> None:
    SPEC.create(any_kops.props())
    assert plan.spec_changes(any_kops.kops.stored(), rendered()) == []
    assert {f"{NAME}/config", f"{NAME}/instancegroup/nodes"} <= any_kops.store().keys()


def test_a_cluster_that_is_not_in_the_store_is_told_from_a_failure(any_kops: World) -> None:
    with pytest.raises(NotFoundError, match="not found"):
        any_kops.kops.stored()
    assert SPEC.read(NAME, any_kops.props()).id == ""


def test_putting_it_twice_is_the_same_as_once_and_another_spec_takes_its_place(any_kops: World) -> None:
    for documents in (rendered(), rendered(), NEWER):
        SPEC.create(any_kops.props(documents=documents))
    assert plan.spec_changes(any_kops.kops.stored(), NEWER) == []
    [change] = plan.spec_changes(any_kops.kops.stored(), rendered())
    assert "kubernetesVersion: '1.36.3' -> '1.35.7'" in change


def test_a_spec_that_kops_refuses_fails_in_kops_own_words(any_kops: World) -> None:
    documents = manifests.parse(rendered())
    documents[0]["spec"]["etcdClusters"][0]["etcdMembers"] *= 2
    with pytest.raises(KopsError, match=r"could not put the cluster's spec into its store.*\n.*be an odd number"):
        any_kops.kops.replace(manifests.dump(documents))


def test_a_change_in_the_store_is_found_as_drift_and_put_right(any_kops: World) -> None:
    props = any_kops.props()
    SPEC.create(props)
    key = f"{NAME}/config"
    any_kops.put(key, any_kops.store()[key].replace("1.35.7", "1.35.6"))
    found = SPEC.read(NAME, props)
    assert found.outs is not None
    assert "spec.kubernetesVersion: '1.35.6' -> '1.35.7'" in found.outs["drift"][0]
    assert SPEC.diff(NAME, found.outs, props).changes
    SPEC.update(NAME, found.outs, props)
    assert (SPEC.read(NAME, props).outs or {})["drift"] == []


# The plan.


def test_a_plan_before_anything_exists_needs_no_store_and_leaves_nothing(world: World) -> None:
    found = plan.make(command.Kops(name=NAME, store="", region="us-east-1", endpoint=world.kops.endpoint), rendered())
    assert f"LaunchTemplate/nodes.{NAME}" in found["create"]
    assert f"Cluster/{NAME}: added" in found["spec"]
    assert "roll" not in found
    assert (world.store(), world.cloud()["resources"]) == ({}, {})


def test_a_plan_changes_neither_the_live_store_nor_the_cloud(world: World) -> None:
    up(world.props())
    store, cloud, called = world.store(), world.cloud(), len(world.calls())
    plan.make(world.kops, rendered(kubernetes_version="1.36.3", nodes=(group("other"),)))
    assert (world.store(), world.cloud()) == (store, cloud)
    written = [each for each in world.calls()[called:] if each["command"][0] not in ("get", "version")]
    assert written
    assert all(each["state"].startswith("file://") and "yes" not in each["flags"] for each in written)
    assert not Path(written[0]["state"].removeprefix("file://")).exists()


@pytest.mark.parametrize(
    ("changes", "roll"),
    [
        ({"kubernetes_version": "1.36.3"}, ["control-plane-us-east-1c", "nodes"]),
        ({"nodes": (group(machine_type="t3.large"),)}, ["nodes"]),
        ({"nodes": (group(max=9),)}, []),
        ({"nodes": (group(), group("more"))}, []),
        ({"api_access": ("192.0.2.0/24",)}, []),
        ({}, []),
    ],
)
def test_the_plan_names_the_groups_that_kops_then_rolls(world: World, changes: dict[str, Any], roll: list[str]) -> None:
    props = world.props()
    up(props)
    before = world.machines()
    documents = rendered(**changes)
    assert plan.make(world.kops, documents).get("roll", []) == roll
    change(props, world.props(documents=documents))
    after = world.machines()
    assert [each for each in sorted(before) if not set(before[each]) & set(after[each])] == roll


def test_a_group_that_is_gone_from_the_settings_is_planned_and_then_deleted_last(world: World) -> None:
    props = world.props(documents=rendered(nodes=(group(), group("old"))))
    up(props)
    documents = rendered(nodes=(group(), group("new")))
    found = plan.make(world.kops, documents)
    assert "InstanceGroup/old and its machines" in found["delete"]
    news = world.props(documents=documents)
    change(props, news)
    assert world.machines().keys() == {"control-plane-us-east-1c", "nodes", "new"}
    commands = [each["command"][0] for each in world.calls() if "yes" in each["flags"]]
    assert commands[-2:] == ["reconcile", "delete"]


def test_another_network_is_refused_by_the_plan_before_kops_tries(world: World) -> None:
    up(world.props())
    with pytest.raises(KopsError, match=r"networkCIDR: '172.20.0.0/16' -> .*Put cluster.networkCidr back"):
        APPLIED.check(world.props(), world.props(documents=rendered(network_cidr="10.1.0.0/16")))


def test_the_plan_is_an_input_of_the_applied_resource_only_when_something_changes(world: World) -> None:
    props = world.props()
    up(props)
    checked = APPLIED.check(props, world.props(documents=NEWER))
    assert checked.inputs["plan"]["roll"] == ["control-plane-us-east-1c", "nodes"]
    called = len(world.calls())
    assert APPLIED.check(checked.inputs, world.props(documents=NEWER)).inputs["plan"] == checked.inputs["plan"]
    assert len(world.calls()) == called


def test_a_plan_waits_for_what_only_an_up_knows(world: World) -> None:
    later = rpc.deserialize_property(rpc.UNKNOWN, keep_unknowns=True)  # as a provider gets it
    unknown = world.props() | {"manifests": later, "hash": later}
    assert APPLIED.check({}, unknown).inputs["plan"] == {}
    assert SPEC.check({}, unknown).inputs["hash"] == rpc.UNKNOWN
    without_bucket = world.props(store=later)
    assert APPLIED.check({}, without_bucket).inputs["plan"]["create"]


# Creating and changing.


def test_the_first_up_makes_a_valid_cluster_and_a_kubeconfig_without_a_credential(world: World) -> None:
    made = up(world.props())
    assert len(made["nodes"]) == 3
    kubeconfig = yaml.safe_load(made["kubeconfig"])
    [user] = kubeconfig["users"]
    assert user["user"].keys() == {"exec"}
    assert user["user"]["exec"]["args"][-2:] == [f"--cluster={NAME}", f"--state={world.kops.store}"]
    assert {"name": "S3_ENDPOINT", "value": world.kops.endpoint} in user["user"]["exec"]["env"]
    assert "test" not in [each["value"] for each in user["user"]["exec"]["env"]]


def test_update_only_leaves_the_machines_and_says_which_are_to_be_replaced(world: World) -> None:
    props = world.props(apply="update-only")
    up(props)
    machines = world.machines()
    news = world.props(apply="update-only", documents=NEWER)
    outs = change(props, news)
    assert world.machines() == machines
    assert outs["pending"] == ["control-plane-us-east-1c", "nodes"]
    # Back at `reconcile`, the same spec is a change.
    news = news | {"apply": "reconcile"}
    assert APPLIED.diff(NAME, outs, news).changes
    assert APPLIED.check(outs, news).inputs["plan"] == {"roll": ["control-plane-us-east-1c", "nodes"]}
    assert (APPLIED.update(NAME, outs, news).outs or {})["pending"] == []


def test_manual_writes_the_spec_and_leaves_the_cloud(world: World) -> None:
    props = world.props(apply="manual")
    up(props)
    cloud = world.cloud()
    news = world.props(apply="manual", documents=NEWER)
    change(props, news)
    assert plan.spec_changes(world.kops.stored(), NEWER) == []
    assert world.cloud() == cloud
    assert (APPLIED.read(NAME, news).outs or {})["drift"] == []


# Failures and retries.


def test_a_spec_that_was_written_by_half_is_written_whole_by_the_next_up(world: World) -> None:
    world.order(replace="nodes")
    with pytest.raises(KopsError, match="SlowDown"):
        SPEC.create(world.props())
    world.order()
    # A half-written spec is enough for a plan.
    assert "InstanceGroup/nodes: added" in plan.make(world.kops, rendered())["spec"]
    assert len(up(world.props())["nodes"]) == 3


def test_a_cluster_that_does_not_become_valid_fails_with_what_is_not_valid(world: World) -> None:
    props = applied(world)
    broken = world.machines()["nodes"][1]
    world.order(broken=[broken])
    with pytest.raises(KopsError) as failed:
        READY.create(props)
    assert f'Machine {broken}: machine "{broken}" has not yet joined cluster' in str(failed.value)
    assert "wait time exceeded during validation" in str(failed.value)
    world.order()
    assert len((READY.create(props).outs or {})["nodes"]) == 3


def test_a_cluster_whose_api_never_answers_fails_with_what_kops_met(world: World) -> None:
    props = applied(world)
    world.order(validate="unanswered")
    with pytest.raises(KopsError, match=r"connection refused\n.*wait time exceeded"):
        READY.create(props)
    assert "connection refused" in READY.read(NAME, {**props, "kubeconfig": ""}).outs["drift"][0]  # type: ignore[index]


def test_a_plan_keeps_no_login_of_the_store() -> None:
    before = "Will modify resources:\n  LaunchTemplate/a\n  \tUserData  \n  \t  \t  - S3_SECRET_ACCESS_KEY=old\n\n"
    assert plan.read(before) == {"modify": ["LaunchTemplate/a\nUserData"]}


def test_a_slow_cluster_is_waited_for_and_no_longer_than_told(world: World) -> None:
    props = applied(world)
    world.order(boot=4 * 60)
    READY.create(props)
    world.order(boot=6 * 60)
    change(props, world.props(documents=NEWER))
    with pytest.raises(KopsError, match="wait time exceeded"):
        READY.update(NAME, props, world.props(documents=NEWER))


def test_what_kops_says_while_it_waits_is_shown(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    props = applied(world)
    world.order(boot=60)
    READY.create(props)
    assert "will retry" not in capsys.readouterr().err
    world.order(boot=600)
    monkeypatch.setattr(command, "SHOWN_EVERY", 0)
    with pytest.raises(KopsError):
        READY.create(props)
    assert f"kops, at {NAME}: (will retry): cluster not yet healthy" in capsys.readouterr().err


def test_a_kops_that_is_killed_is_a_failure_and_the_next_one_goes_on(world: World) -> None:
    props = world.props()
    SPEC.create(props)
    for name in ("SIGKILL", "SIGINT", "SIGTERM"):
        world.order(update={"after": 2, "kill": name})
        number = getattr(signal, name)
        with pytest.raises(KopsError, match=f"could not update the cluster: it was ended by signal {number.value}"):
            APPLIED.create(props)
    world.order()
    assert len(up(props)["nodes"]) == 3


def test_a_failed_roll_fails_and_is_rolled_by_the_next_up(world: World) -> None:
    props = world.props()
    up(props)
    news = world.props(documents=NEWER)
    SPEC.update(NAME, props, news)
    world.order(roll="error validating cluster after removing a node: cluster did not validate within 15m0s")
    with pytest.raises(KopsError, match="did not validate within"):
        APPLIED.update(NAME, props, news)
    world.order()
    # The engine kept the old hash, so the same change is planned again.
    assert APPLIED.diff(NAME, props, news).changes
    assert (APPLIED.update(NAME, props, news).outs or {})["pending"] == []


def test_a_missing_kops_an_old_one_and_something_else_are_said_with_what_is_wanted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> str:
        [failure] = SPEC.check({}, world.props()).failures
        return str(failure.reason)

    assert SPEC.check({}, world.props()).failures == []
    world.order(version="1.34.2")
    provoked("The kops on PATH is …, which is too old", said())
    world.order(version="Usage: kops")
    assert "which is not a version" in said()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert "kops cannot be run" in said()
    assert "Kubernetes 1.35.7 needs kops 1.35 or newer" in said()
    assert "https://github.com/kubernetes/kops/releases" in said()


# Drift and deletion.


def test_a_cluster_that_is_no_longer_valid_is_found(world: World) -> None:
    props = world.props()
    made = up(props)
    world.order(broken=[world.machines()["nodes"][0]])
    found = READY.read(NAME, made).outs or {}
    assert "has not yet joined cluster" in found["drift"][0]
    assert READY.diff(NAME, found, props).changes


def test_a_cluster_deleted_behind_the_back_is_gone_for_all_three(world: World) -> None:
    props = world.props()
    made = up(props)
    world.kops.delete()
    assert [provider.read(NAME, made).id for provider in (SPEC, APPLIED, READY)] == ["", "", ""]
    SPEC.delete(NAME, props)


def test_deleting_leaves_nothing_and_a_failure_keeps_the_spec_to_go_on_with(world: World) -> None:
    props = world.props()
    up(props)
    world.order(delete="DependencyViolation: the vpc has dependencies and cannot be deleted")
    with pytest.raises(KopsError, match="DependencyViolation"):
        SPEC.delete(NAME, props)
    assert f"{NAME}/config" in world.store()
    world.order()
    SPEC.delete(NAME, props)
    assert world.store() == {}
    assert world.cloud()["resources"] == world.cloud()["machines"] == {}


@pytest.mark.parametrize(
    ("changed", "replaces", "first"), [("name", ["name"], False), ("store", ["store"], True), ("region", [], False)]
)
def test_another_name_or_store_is_another_cluster(world: World, changed: str, replaces: list[str], first: bool) -> None:
    found = SPEC.diff(NAME, world.props(), world.props(**{changed: "other"}))
    assert (found.replaces, bool(found.delete_before_replace)) == (replaces, first)


def test_neither_the_users_kubeconfig_nor_a_kops_set_up_by_hand_has_a_part_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = world.home / "my-kubeconfig"
    mine.write_text("mine")
    monkeypatch.setenv("KUBECONFIG", str(mine))
    monkeypatch.setenv("KOPS_STATE_STORE", "s3://another")
    monkeypatch.setenv("KOPS_CLUSTER_NAME", "another.example.com")
    up(world.props())
    world.kops.delete()
    assert mine.read_text() == "mine"
    assert {each["state"] for each in world.calls()} == {world.kops.store}


def _written(file: Path) -> int:
    return int(file.read_text() or 0) if file.exists() else 0


# With the engine; tests/conformance has the tests of all drivers.


@pytest.fixture
def stack(endpoint: str, tmp_path: Path) -> Iterator[tuple[Stack, World]]:
    with testing.world(tmp_path, endpoint=endpoint, real=False, bucket=False) as world:
        made = engine.project(tmp_path, endpoint=endpoint)
        nodes = [{"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}]
        made.configure(driver="kops", name=NAME, kubernetesVersion="1.35.7", zones=["us-east-1c"], nodes=nodes)
        yield made, world


def test_a_preview_shows_what_kops_plans_before_and_after_there_is_a_cluster(stack: tuple[Stack, World]) -> None:
    project, world = stack
    planned = project.preview()
    [applied] = [each for each in planned["steps"] if each["urn"].endswith("::cluster-applied")]
    assert applied["op"] == "create"
    assert f"AutoscalingGroup/nodes.{NAME}" in applied["newState"]["inputs"]["plan"]["create"]
    assert any(f"kops plans for {NAME}" in each["message"] for each in planned["diagnostics"])
    assert world.cloud()["resources"] == {}
    project.up()
    project.configure(kubernetesVersion="1.36.3")
    said = project.run("preview", "--diff")
    assert "+   kubernetesVersion: 1.36.3" in said
    assert "node groups to roll, machine by machine (2):" in said


def test_an_up_interrupted_by_ctrl_c_leaves_no_kops_behind_and_the_next_one_goes_on(stack: tuple[Stack, World]) -> None:
    project, world = stack
    world.order(update={"after": 3, "hang": True})
    interrupted = project.start("up", "--yes", "--skip-preview")
    while not (pid := _written(world.home / "hangs")):
        assert interrupted.poll() is None
        time.sleep(0.05)
    working = psutil.Process(pid)
    # After the first signal the engine waits for operations under way; after the second it does not.
    interrupted.send_signal(signal.SIGINT)
    while "cancelling" not in interrupted.stdout.readline():  # type: ignore[union-attr]  # it is a pipe
        pass
    interrupted.send_signal(signal.SIGINT)
    interrupted.communicate(timeout=60)
    assert interrupted.returncode != 0
    working.wait(timeout=10)
    world.order()
    project.up()
    assert len(world.cloud()["resources"]) == 1
    assert len(world.machines()["nodes"]) == 2
