"""The stand-in for the kubernetes provider, driven as the engine drives it."""

import base64
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, status_pb2

from sandbox.plugins.kubernetes.explain import Evidence, explanation
from sandbox.plugins.kubernetes.objects import canonical, pruned
from sandbox.plugins.kubernetes.provider import PLUGIN, replaces
from sandbox.plugins.kubernetes.ready import deployment_readiness, service_readiness
from sandbox.plugins.values import UNKNOWN as NOT_YET
from tests.fast.api_server import World, api_server
from tests.fast.plugin_engine import UNKNOWN, Engine, RefusedError, Resource, engine, secret, urn

SECRET, SERVICE = "kubernetes:core/v1:Secret", "kubernetes:core/v1:Service"
DEPLOYMENT, BUDGET = "kubernetes:apps/v1:Deployment", "kubernetes:policy/v1:PodDisruptionBudget"

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
SECRETS = "/api/v1/namespaces/default/secrets"

NOWHERE = World(url="http://127.0.0.1:1").kubeconfig()


@pytest.fixture
def world() -> Iterator[World]:
    with api_server() as world:
        yield world


@pytest.fixture
def provider(world: World) -> Iterator[Engine]:
    with engine(PLUGIN, kubeconfig=world.kubeconfig(), enableSecretMutable="true") as speaking:
        yield speaking


@pytest.fixture(scope="module")
def offline() -> Iterator[Engine]:
    with engine(PLUGIN, kubeconfig=NOWHERE) as speaking:
        yield speaking


def deployment(**spec: Any) -> dict[str, Any]:
    container = {"name": "app", "image": "a", "resources": {"requests": {"cpu": "0.5", "memory": "1024Mi"}}}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    whole = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template} | spec
    return {"metadata": {"name": "web"}, "spec": whole}


def quiet(inputs: dict[str, Any]) -> dict[str, Any]:
    return inputs | {"metadata": inputs["metadata"] | {"annotations": {"pulumi.com/skipAwait": "true"}}}


def known(offline: Engine, kind: str, inputs: dict[str, Any]) -> Resource:
    """A resource in the state, as if it had been created."""
    checked = offline.check(kind, inputs)
    return Resource(urn=urn(kind), id=f"default/{checked['metadata']['name']}", inputs=checked, state=checked)


def test_a_generated_name_is_marked_and_kept(offline: Engine) -> None:
    first = offline.check(BUDGET, {"metadata": {"labels": {"a": "b"}}})
    assert first["metadata"]["name"].startswith("thing-")
    assert len(first["metadata"]["name"]) == len("thing-") + 8
    first["metadata"]["name"] = "thing-of-before"
    again = offline.check(BUDGET, {"metadata": {"labels": {"a": "c"}}}, old=first)
    assert again["metadata"]["name"] == "thing-of-before"
    assert again["metadata"]["annotations"] == {"pulumi.com/autonamed": "true"}


@pytest.mark.parametrize(
    ("kind", "old", "new", "replaced"),
    [
        (DEPLOYMENT, deployment(), deployment(replicas=3), []),
        (DEPLOYMENT, deployment(), deployment(selector={"matchLabels": {"app": "other"}}), ["spec"]),
        (DEPLOYMENT, deployment(), deployment() | {"metadata": {"name": "other"}}, ["metadata"]),
        (SERVICE, {"spec": {"type": "ClusterIP"}}, {"spec": {"type": "LoadBalancer"}}, []),
        (SERVICE, {"spec": {"clusterIP": "10.0.0.1"}}, {"spec": {"clusterIP": "None"}}, ["spec"]),
        (BUDGET, {"spec": {"minAvailable": 1}}, {"spec": {"minAvailable": 2}}, []),
        (SECRET, {"type": "Opaque"}, {"type": "kubernetes.io/tls"}, ["type"]),
        (SECRET, {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, ["stringData"]),
    ],
)
def test_what_kubernetes_cannot_change_is_replaced(
    offline: Engine, kind: str, old: dict[str, Any], new: dict[str, Any], replaced: list[str]
) -> None:
    found = offline.diff(known(offline, kind, old), new)
    assert list(found.replaces) == replaced
    assert found.changes == found.DIFF_SOME


@pytest.mark.parametrize(("immutable", "replaced"), [(False, []), (True, ["data"])])
def test_a_mutable_secret_is_changed_in_place_unless_it_says_that_it_is_not_to_be(
    provider: Engine, immutable: bool, replaced: list[str]
) -> None:
    inputs = {"metadata": {"name": "s"}, "immutable": immutable, "data": {"a": "MQ=="}}
    found = provider.diff(known(provider, SECRET, inputs), inputs | {"data": {"a": "Mg=="}})
    assert list(found.replaces) == replaced


def test_only_an_object_with_a_name_of_its_own_makes_way_before_its_successor(offline: Engine) -> None:
    other = {"selector": {"matchLabels": {"app": "other"}}}
    named = offline.diff(known(offline, DEPLOYMENT, deployment()), deployment(**other))
    generated = {"spec": deployment()["spec"]}
    free = offline.diff(known(offline, DEPLOYMENT, generated), {"spec": deployment(**other)["spec"]})
    renamed = deployment(**other) | {"metadata": {"name": "web2"}}
    moved = offline.diff(known(offline, DEPLOYMENT, deployment()), renamed)
    assert [each.deleteBeforeReplace for each in (named, free, moved)] == [True, False, False]
    assert all(each.replaces for each in (named, free, moved))


def test_the_same_in_other_words_is_no_change(offline: Engine) -> None:
    respelt = deployment()
    respelt["metadata"] = {"name": "web", "namespace": "default"}
    respelt["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] = {
        "cpu": "500m",
        "memory": "1Gi",
    }
    assert offline.changes(known(offline, DEPLOYMENT, deployment()), respelt) == {}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (deployment(replicsa=2), "spec.replicsa.*did you mean replicas"),
        (deployment(replicas="two"), "spec.replicas.*whole number"),
        (deployment() | {"sepc": {}}, "sepc"),
        (deployment() | {"kind": "DaemonSet"}, "kind.*'Deployment'"),
        ({"metadata": {"generateName": "web-"}}, "metadata.generateName"),
        ({"metadata": {"annotations": {"pulumi.com/waitFor": "x"}}}, "pulumi.com/waitFor"),
    ],
)
def test_what_the_kind_does_not_have_is_refused_by_name(offline: Engine, inputs: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        offline.check(DEPLOYMENT, inputs)


def test_another_kind_is_refused_by_name(offline: Engine) -> None:
    with pytest.raises(grpc.RpcError, match="kubernetes:core/v1:Pod"):
        offline.check("kubernetes:core/v1:Pod", {})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            {"kubeconfig": "a", "clusterIdentifier": "x"},
            {"kubeconfig": NOT_YET, "clusterIdentifier": "x"},
            [],
        ),
        ({"kubeconfig": "a", "clusterIdentifier": "x"}, {"kubeconfig": "a", "clusterIdentifier": "y"}, [1]),
        ({"kubeconfig": "a"}, {"kubeconfig": NOT_YET}, [1]),
        ({"kubeconfig": NOWHERE}, {"kubeconfig": NOWHERE, "clusterIdentifier": "x"}, []),
    ],
)
def test_a_cluster_is_another_one_only_if_its_identifier_or_else_its_kubeconfig_says_so(
    old: dict[str, Any], new: dict[str, Any], expected: list[int]
) -> None:
    assert bool(replaces(old, new)) is bool(expected)


def test_another_server_in_the_kubeconfig_is_another_cluster(world: World) -> None:
    mine = world.kubeconfig()
    renewed = mine.replace('"token": "t"', '"token": "new"')
    elsewhere = mine.replace("127.0.0.1", "127.0.0.2")
    assert not replaces({"kubeconfig": mine}, {"kubeconfig": renewed})
    assert replaces({"kubeconfig": mine}, {"kubeconfig": elsewhere}) == {"kubeconfig"}


@pytest.mark.parametrize("image", ["a", UNKNOWN])
def test_a_preview_needs_no_cluster_and_leaves_the_status_open(offline: Engine, image: str) -> None:
    inputs = deployment()
    inputs["spec"]["template"]["spec"]["containers"][0]["image"] = image
    foretold = offline.preview(DEPLOYMENT, inputs)
    assert foretold["status"] == UNKNOWN
    assert foretold["spec"]["replicas"] == 2


def test_what_is_in_a_secret_is_secret_everywhere_and_stored_as_data(provider: Engine, world: World) -> None:
    made = provider.create(SECRET, {"metadata": {"name": "s"}, "stringData": {"password": "p"}})
    encoded = base64.b64encode(b"p").decode()
    assert made.inputs["stringData"] == secret({"password": "p"})
    assert made.state["data"] == secret({"password": encoded})
    assert world.objects[f"{SECRETS}/s"]["data"] == {"password": encoded}


def test_refresh_sees_what_was_changed_by_hand_and_nothing_else(provider: Engine, world: World) -> None:
    made = provider.create(DEPLOYMENT, quiet(deployment()))
    live = world.objects[f"{DEPLOYMENTS}/web"]
    live["spec"]["strategy"] = {"type": "RollingUpdate"}
    live["metadata"]["labels"] = {"added": "by hand"}
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["imagePullPolicy"] = "Always"
    container["resources"]["requests"] = {"cpu": "500m", "memory": "1Gi"}
    assert provider.refreshed(made).inputs == made.inputs

    live["spec"]["replicas"] = 5
    live["metadata"]["annotations"]["pulumi.com/skipAwait"] = "True"
    drifted = provider.refreshed(made)
    assert provider.changes(drifted, quiet(deployment())) == {
        "spec.replicas": "UPDATE",
        'metadata.annotations["pulumi.com/skipAwait"]': "UPDATE",
    }
    provider.update(drifted, quiet(deployment()))
    assert world.objects[f"{DEPLOYMENTS}/web"]["spec"]["replicas"] == 2


def test_refresh_sees_a_changed_and_a_deleted_secret(provider: Engine, world: World) -> None:
    inputs = {"metadata": {"name": "s"}, "stringData": {"password": "p", "user": "u"}}
    made = provider.create(SECRET, inputs)
    assert provider.changes(provider.refreshed(made), inputs) == {}
    world.objects[f"{SECRETS}/s"]["data"]["password"] = base64.b64encode(b"other").decode()
    del world.objects[f"{SECRETS}/s"]["data"]["user"]
    expected = {"stringData.password": "UPDATE", "stringData.user": "ADD"}
    assert provider.changes(provider.refreshed(made), inputs) == expected
    del world.objects[f"{SECRETS}/s"]
    assert provider.refresh(made) is None


def test_an_object_that_is_there_already_is_left_alone(provider: Engine, world: World) -> None:
    world.objects[f"{SECRETS}/s"] = {"metadata": {"name": "s"}}
    with pytest.raises(grpc.RpcError, match="Secret default/s already exists"):
        provider.create(SECRET, {"metadata": {"name": "s"}})
    assert world.applied == []


def test_what_was_set_by_hand_is_taken_back(provider: Engine, world: World) -> None:
    made = provider.create(DEPLOYMENT, quiet(deployment()))
    world.owner = "kubectl-scale"
    provider.update(made, quiet(deployment(replicas=4)))
    assert world.objects[f"{DEPLOYMENTS}/web"]["spec"]["replicas"] == 4


def test_what_another_controller_owns_is_a_conflict_that_names_it(provider: Engine, world: World) -> None:
    made = provider.create(DEPLOYMENT, quiet(deployment()))
    world.owner = "autoscaler"
    with pytest.raises(grpc.RpcError, match=r'Deployment default/web.*\.spec\.replicas.*"autoscaler"'):
        provider.update(made, quiet(deployment(replicas=4)))
    assert world.objects[f"{DEPLOYMENTS}/web"]["spec"]["replicas"] == 2


def test_a_deployment_that_does_not_come_up_stays_in_the_state_and_the_error_says_why(
    provider: Engine, world: World
) -> None:
    rollout = {"app": "web", "uid": "r1", "deployment": "u1"}
    namespace = "/api/v1/namespaces/default"
    world.lists["/apis/apps/v1/namespaces/default/replicasets"] = [
        {"metadata": {"name": "web-1", "uid": rollout["uid"], "ownerReferences": [{"uid": "u1"}]}}
    ]
    world.lists[f"{namespace}/pods"] = [crashing_pod(owner="r1")]
    world.logs[f"{namespace}/pods/web-1-a/log"] = "django.core.exceptions.ImproperlyConfigured: SECRET_KEY"
    with pytest.raises(grpc.RpcError) as caught:
        provider.create(DEPLOYMENT, deployment(), timeout=0.01)
    assert "ImproperlyConfigured: SECRET_KEY" in str(caught.value)
    assert "CrashLoopBackOff" in str(caught.value)
    kept = initialization_failure(caught.value)
    assert kept.id == "default/web"
    assert kept.inputs["spec"]["replicas"] == 2


def test_a_deletion_that_does_not_end_names_the_finalizers(provider: Engine, world: World) -> None:
    marked = {"name": "s", "annotations": {"pulumi.com/timeoutSeconds": "0"}}
    made = provider.create(SECRET, {"metadata": marked})
    world.objects[f"{SECRETS}/s"]["metadata"]["finalizers"] = ["example.test/keep"]
    with pytest.raises(grpc.RpcError, match=r"Secret default/s is still there.*example\.test/keep"):
        provider.delete(made)
    world.objects[f"{SECRETS}/s"]["metadata"]["finalizers"] = []
    provider.delete(made)
    assert f"{SECRETS}/s" not in world.objects


def initialization_failure(error: grpc.RpcError) -> provider_pb2.ErrorResourceInitFailed:
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    status.details[0].Unpack(detail)
    return detail


def crashing_pod(*, owner: str) -> dict[str, Any]:
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    ended = {"exitCode": 3, "reason": "Error"}
    status = {
        "name": "app",
        "ready": False,
        "restartCount": 4,
        "state": {"waiting": waiting},
        "lastState": {"terminated": ended},
    }
    return {
        "metadata": {"name": "web-1-a", "uid": "p1", "ownerReferences": [{"uid": owner}]},
        "status": {"conditions": [{"type": "Ready", "status": "False"}], "containerStatuses": [status]},
    }


def test_the_explanation_has_each_unready_pods_reason_and_its_own_warnings_only() -> None:
    unscheduled = {
        "metadata": {"name": "web-1-b", "uid": "p2"},
        "status": {
            "conditions": [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "message": "0/1 nodes are available: 1 Insufficient cpu.",
                }
            ]
        },
    }
    pulling = {
        "metadata": {"name": "web-1-c", "uid": "p3"},
        "status": {
            "containerStatuses": [
                {
                    "name": "app",
                    "state": {"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}},
                }
            ]
        },
    }
    ready = {
        "metadata": {"name": "web-1-d", "uid": "p4"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    events = [
        {
            "involvedObject": {"uid": "p3"},
            "reason": "Failed",
            "message": "no credentials",
            "lastTimestamp": "2",
        },
        {
            "involvedObject": {"uid": "x"},
            "reason": "Other",
            "message": "of another object",
            "lastTimestamp": "1",
        },
    ]
    about = {"metadata": {"name": "web", "uid": "d1"}}
    text = explanation(Evidence(about=about, pods=[ready, unscheduled, pulling], events=events))
    assert "web-1-b: not scheduled: 0/1 nodes are available: 1 Insufficient cpu." in text
    assert "web-1-c: container app is waiting: ErrImagePull: 401 Unauthorized" in text
    assert "no credentials" in text
    assert "web-1-d" not in text
    assert "another object" not in text


@pytest.mark.parametrize(
    ("status", "ready", "hopeless"),
    [
        ({}, False, False),
        (
            {"observedGeneration": 1, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2},
            False,
            False,
        ),
        (
            {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 1, "replicas": 2},
            False,
            False,
        ),
        (
            {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 3, "replicas": 3},
            False,
            False,
        ),
        (
            {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 2, "replicas": 1},
            False,
            False,
        ),
        ({"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}, True, False),
        ({"observedGeneration": 2, "conditions": [{"reason": "ProgressDeadlineExceeded"}]}, False, True),
    ],
)
def test_a_deployment_is_ready_when_its_last_revision_alone_runs_in_full(
    status: dict[str, Any], ready: bool, hopeless: bool
) -> None:
    available = {"type": "Available", "status": "True"}
    progressing = [{"type": "Progressing", "status": "False"} | each for each in status.get("conditions", ())]
    live = {
        "metadata": {"generation": 2},
        "spec": {"replicas": 2},
        "status": status | {"conditions": [available, *progressing]},
    }
    judged = deployment_readiness(live)
    assert (judged.ready, judged.hopeless) == (ready, hopeless)


@pytest.mark.parametrize(
    ("spec", "endpoints", "ingress", "ready"),
    [
        ({"type": "LoadBalancer"}, [True], [{"hostname": "h"}], True),
        ({"type": "LoadBalancer"}, [True], [], False),
        ({"type": "LoadBalancer"}, [False], [{"hostname": "h"}], False),
        ({"type": "LoadBalancer"}, [], [{"hostname": "h"}], False),
        ({"type": "ClusterIP"}, [False, True], [], True),
        ({"clusterIP": "None"}, [], [], True),
        ({"selector": {}}, [], [], True),
    ],
)
def test_a_service_is_ready_when_it_has_an_endpoint_and_a_balancer_its_address(
    spec: dict[str, Any], endpoints: list[bool], ingress: list[dict[str, str]], ready: bool
) -> None:
    service = {"spec": {"selector": {"app": "web"}} | spec, "status": {"loadBalancer": {"ingress": ingress}}}
    slices = [{"endpoints": [{"conditions": {"ready": each}} for each in endpoints]}]
    assert service_readiness(service, slices).ready is ready


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.5", "500m", True),
        (1, "1000m", True),
        ("1024Mi", "1Gi", True),
        ("1G", "1Gi", False),
        ("100m", "100M", False),
        ("500m", "x", False),
    ],
)
def test_quantities_are_compared_by_amount(one: Any, other: Any, same: bool) -> None:
    found = [canonical({"limits": {"cpu": each}}) for each in (one, other)]
    assert (found[0] == found[1]) is same
    assert canonical({"data": {"cpu": "0.5"}}) == {"data": {"cpu": "0.5"}}


def test_an_element_added_by_hand_to_a_list_shows() -> None:
    assert pruned([{"a": 1, "default": 2}, {"b": 3}], [{"a": 1}]) == [{"a": 1}, {"b": 3}]


def test_an_empty_input_that_the_server_drops_is_no_drift() -> None:
    assert pruned({"name": "x"}, {"name": "x", "labels": {}, "hostNetwork": False}) == {
        "name": "x",
        "labels": {},
        "hostNetwork": False,
    }
