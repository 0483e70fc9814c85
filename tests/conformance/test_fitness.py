"""The fitness checks on a real API server: the kubeconfig's user, the program's rights, and what the cluster has.

tests/loopback/test_kubeconfigs.py tests kubeconfigs that lead to no cluster.
"""

import json
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.runtime import rpc

from infra import fitness, kubectl
from infra.access import _AccessProvider
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.ownership import NAME, OWNER as ANNOTATION
from infra.settings.needs import Needs
from tests.conformance import api_server
from tests.conformance.api_server import ApiServer
from tests.e2e.waiting import eventually
from tests.example import NEEDS, Inputs
from tests.recorder import declare
from tests.troubles import provoked

pytestmark = pytest.mark.usefixtures("kubectl")

EXISTING = "pulumi config set --path namespace.existing true"
ON_EC2 = {"machine": "aws:///us-east-1a/i-0a1b2c3d"}
OWNER, DOMAIN = "shop/prod", "example.com"
NAMESPACES, SERVICES = "/api/v1/namespaces", "/api/v1/namespaces/default/services"
RBAC = "rbac.authorization.k8s.io"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server with one node."""
    with api_server.running(tmp_path_factory.mktemp("cluster") / "api") as made:
        made.join("node-1", **ON_EC2)
        yield made


@pytest.fixture
def nodes(api: ApiServer) -> Iterator[Callable[..., None]]:
    """Return a function that replaces the one node by others, for this test."""

    def replace(*others: dict[str, Any]) -> None:
        api.delete("/api/v1/nodes")
        for number, each in enumerate(others, 1):
            api.join(f"node-{number}", **each)

    yield replace
    replace(ON_EC2)


def given(api: ApiServer, *, user: Any = None, cluster: Any = None, context: Any = None) -> str:
    """Return the server's kubeconfig with further fields in its user, cluster and context."""
    document = yaml.safe_load(api.kubeconfig())
    document["users"][0]["user"] |= user or {}
    document["clusters"][0]["cluster"] |= cluster or {}
    document["contexts"][0]["context"] |= context or {}
    return yaml.safe_dump(document)


def found(kubeconfig: str, needs: Needs = NEEDS) -> dict[str, Finding]:
    """Return the findings, by check."""
    return {each.check: each for each in fitness.look(kubeconfig, needs, owners=[(OWNER, DOMAIN)])}


def grant(api: ApiServer, user: str, *, namespace: str = "", lacking: Collection[tuple[str, str]] = ()) -> None:
    """Grant a user the rights that every stack needs, in a namespace or in all, without those in `lacking`."""
    uses = ((fitness.OWN, fitness.OWN_VERBS), (fitness.WATCHED, fitness.WATCHED_VERBS))
    rules = [
        {
            "apiGroups": [group],
            "resources": [resource],
            "verbs": [each for each in verbs if (each, resource) not in lacking],
        }
        for resources, verbs in uses
        for group, resource in resources
    ]
    kind, where = ("Role", f"namespaces/{namespace}/role") if namespace else ("ClusterRole", "clusterrole")
    subject = {"kind": "User", "name": user, "apiGroup": RBAC}
    reference = {"kind": kind, "name": user, "apiGroup": RBAC}
    named = {"metadata": {"name": user}}
    api.post(f"/apis/{RBAC}/v1/{where}s", named | {"rules": rules})
    api.post(f"/apis/{RBAC}/v1/{where}bindings", named | {"subjects": [subject], "roleRef": reference})


def test_a_fit_cluster_is_found_fit_and_nothing_is_made_in_it(api: ApiServer) -> None:
    assert {each.state for each in found(api.kubeconfig()).values()} == {State.OK}
    services = (api.get("/api/v1/services") or {})["items"]
    assert [each for each in services if each["metadata"]["name"].startswith(NEEDS.service)] == []


# The kubeconfig's user.


def test_the_user_that_is_impersonated_is_asked_for_and_with_its_groups(api: ApiServer) -> None:
    nobody = found(given(api, user={"as": "reader"}))
    assert nobody["cluster"].found.endswith("as reader")
    assert nobody["rights"].state is State.MISSING
    master = found(given(api, user={"as": "reader", "as-groups": ["system:masters"]}))
    assert master["rights"].state is State.OK


def test_a_token_in_a_file_may_end_in_a_newline(api: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{api.token}\n")
    document = yaml.safe_load(api.kubeconfig())
    document["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
    assert found(yaml.safe_dump(document))["cluster"].state is State.OK


def test_the_token_of_a_login_command_is_used_and_asked_for_once(api: ApiServer, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": api.token}}
    (tmp_path / "login").write_text(f"#!/bin/sh\necho x >> {tmp_path}/times; echo '{json.dumps(credential)}'\n")
    (tmp_path / "login").chmod(0o755)
    login = {"apiVersion": version, "command": str(tmp_path / "login"), "interactiveMode": "Never"}
    document = yaml.safe_load(api.kubeconfig())
    document["users"][0]["user"] = {"exec": login}
    assert {each.state for each in found(yaml.safe_dump(document)).values()} == {State.OK}
    assert (tmp_path / "times").read_text() == "x\n"


def test_a_login_that_the_cluster_does_not_know_stops_whoever_comes(api: ApiServer) -> None:
    unknown = given(api, user={"token": "of-another-cluster"})
    [only] = found(unknown).values()
    assert only.state is State.WRONG
    provoked("it does not know the kubeconfig's user", only.found)
    assert len(stopped(unknown, before=True)[1]) == 1


@contextmanager
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """Run a proxy on loopback that supports only CONNECT; yield its URL, and the first line of each request."""
    asked: list[bytes] = []

    def pass_on(source: socket.socket, to: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(4096)
        asked.append(head.partition(b"\r\n")[0])
        host, _, port = asked[-1].split()[1].decode().partition(":")
        with socket.create_connection((host, int(port))) as server, client:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=pass_on, args=(server, client), daemon=True)
            back.start()
            pass_on(client, server)
            back.join()

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
        listener.shutdown(socket.SHUT_RDWR)


def test_a_cluster_behind_a_proxy_is_asked_through_it(api: ApiServer) -> None:
    with proxy() as (url, asked):
        assert found(given(api, cluster={"proxy-url": url}))["cluster"].state is State.OK
    assert asked
    assert all(each.startswith(b"CONNECT ") for each in asked)


def test_of_several_contexts_the_current_one_is_kept_and_works(api: ApiServer) -> None:
    document = yaml.safe_load(given(api))
    document["clusters"].append({"name": "other", "cluster": {"server": "https://other.example.test"}})
    document["users"].append({"name": "other", "user": {"token": "the-token-of-another-cluster"}})
    document["contexts"].append({"name": "other", "context": {"cluster": "other", "user": "other"}})
    kept = kubectl.minified(yaml.safe_dump(document))
    assert "the-token-of-another-cluster" not in kept
    assert "other.example.test" not in kept
    assert found(kept)["cluster"].state is State.OK


def test_a_kubeconfig_of_one_context_is_kept_as_it_is(api: ApiServer) -> None:
    assert kubectl.minified(api.kubeconfig()) == api.kubeconfig()


# The program's rights.


def test_all_missing_rights_are_named_at_once_and_those_on_more_kinds_where_they_are_declared(api: ApiServer) -> None:
    lacking = {("patch", "secrets"), ("watch", "endpoints"), ("delete", "deployments")}
    grant(api, "ci", lacking=lacking, namespace="default")

    def named() -> None:
        rights = found(given(api, user={"as": "ci"}), replace(NEEDS, objects=(("batch", "jobs"),)))["rights"]
        jobs = "get, list, watch, create, patch, delete jobs.batch"
        assert rights.found == (
            f"ci may not patch secrets; delete deployments.apps; {jobs}; watch endpoints in default"
        )
        assert rights.state is State.MISSING
        provoked("… may not … in …", rights.found)

    eventually(named)  # the authorizer learns of a new role through a watch


@pytest.mark.parametrize(
    ("user", "subject"), [("dev", "--user 'dev'"), ("system:serviceaccount:tools:ci", "--serviceaccount tools:ci")]
)
def test_the_rights_are_given_to_whom_they_are_missing(api: ApiServer, user: str, subject: str) -> None:
    fix = found(given(api, user={"as": user}))["rights"].fix
    assert fix.endswith(f"--namespace default --clusterrole edit {subject}")


def test_the_rights_to_make_a_namespace_are_those_in_the_whole_cluster_until_it_is_made(api: ApiServer) -> None:
    grant(api, "maker")
    needs = replace(NEEDS, namespace="to-be-made", makes_namespace=True)
    kubeconfig = given(api, user={"as": "maker"})

    def lacking() -> None:
        rights = found(kubeconfig, needs)["rights"]
        assert rights.found.startswith("maker may not get, list, watch, create, patch, delete namespaces in ")
        assert rights.fix.startswith("kubectl create namespace to-be-made && ")

    eventually(lacking)
    rule = {"apiGroups": [""], "resources": ["namespaces"], "verbs": list(fitness.OWN_VERBS)}
    role = f"/apis/{RBAC}/v1/clusterroles/maker"
    rules = (api.get(role) or {})["rules"]
    api.delete(role)
    api.post(role.rpartition("/")[0], {"metadata": {"name": "maker"}, "rules": [*rules, rule]})

    def enough() -> None:
        assert found(kubeconfig, needs)["rights"].state is State.OK

    eventually(enough)


def test_in_its_one_namespace_a_user_is_stopped_by_nothing_that_it_may_not_see(api: ApiServer) -> None:
    api.post(NAMESPACES, {"metadata": {"name": "team-a"}})
    grant(api, "dev", namespace="team-a")
    kubeconfig = given(api, user={"as": "dev"}, context={"namespace": "team-a"})

    def unstopped() -> None:
        seen = found(kubeconfig, replace(NEEDS, namespace="team-a"))
        unknown = {each.check for each in seen.values() if each.state is State.UNKNOWN}
        assert unknown == {"identity", "namespace", "nodes", "balancer"}
        assert not any(each.bad for each in seen.values())
        assert "/api/v1/nodes" in seen["nodes"].found

    eventually(unstopped)
    missing = found(kubeconfig)["rights"]
    meant = f"pulumi config set --path namespace.name team-a && {EXISTING}"
    assert (missing.state, missing.fix) == (State.MISSING, meant)


def test_every_kind_that_the_program_declares_is_asked_for(config: Inputs) -> None:
    graph = declare(config | {"namespace": {"name": "web"}})
    tokens = {each.type for each in graph.resources if each.type.startswith("kubernetes:")}
    kinds = {(token.split(":")[1].rpartition("/")[0].removeprefix("core"), token.split(":")[2]) for token in tokens}
    assert {(group, f"{kind.lower()}s") for group, kind in kinds} == {*fitness.OWN, fitness.NAMESPACES}


# What the cluster has.


def test_a_namespace_that_is_not_there_or_going_is_told(api: ApiServer) -> None:
    needs = replace(NEEDS, namespace="leaving")
    missing = found(api.kubeconfig(), needs)["namespace"]
    assert (missing.state, missing.fix) == (State.MISSING, "kubectl create namespace leaving")
    provoked("no namespace …", missing.found)
    api.post(NAMESPACES, {"metadata": {"name": "leaving", "annotations": {ANNOTATION: OWNER}}})
    assert found(api.kubeconfig(), needs)["namespace"].state is State.OK
    api.delete(f"{NAMESPACES}/leaving")  # no controller here completes the deletion
    for makes in (False, True):
        assert found(api.kubeconfig(), replace(needs, makes_namespace=makes))["namespace"].state is State.WRONG


def test_a_namespace_that_is_made_must_be_nobody_elses_under_any_name_that_the_stack_had(api: ApiServer) -> None:
    marks: dict[str, dict[str, str]] = {
        "plain": {},
        "ours": {ANNOTATION: OWNER, NAME: f"{DOMAIN}/shop-namespace"},
        "before": {ANNOTATION: OWNER},
        "theirs": {ANNOTATION: "x/y"},
        "copy": {ANNOTATION: OWNER, NAME: "example.org/shop-namespace"},
    }
    good = {"yet", "ours", "before"}
    for name, annotations in marks.items():
        api.post(NAMESPACES, {"metadata": {"name": name, "annotations": annotations}})
    for name in ("yet", *marks):
        state = State.OK if name in good else State.WRONG
        namespace = found(api.kubeconfig(), replace(NEEDS, namespace=name, makes_namespace=True))["namespace"]
        assert (namespace.state, namespace.fix == EXISTING) == (state, state is State.WRONG)
        if state is State.WRONG:
            provoked("the namespace …, …, is there, and namespace.existing is not true", namespace.found)
    ours = replace(NEEDS, namespace="ours", makes_namespace=True)
    assert stopped(api.kubeconfig(), ours, before=True, owner="shop/renamed")[1] == []
    assert len(stopped(api.kubeconfig(), ours, owner="shop/renamed")[1]) == 1


ARM, WINDOWS, ILL = {"platform": "linux/arm64"}, {"platform": "windows/amd64"}, {"ready": "Unknown"}
KEPT = {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}
LAST = {"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}
DRAINED = {"unschedulable": True}
OLD = {"kubelet": "v1.29.15"}


@pytest.mark.parametrize(
    ("others", "state"),
    [
        ([ARM, WINDOWS, KEPT, DRAINED, ILL, ON_EC2], State.OK),
        ([LAST], State.OK),
        ([ARM, WINDOWS], State.WRONG),
        ([KEPT], State.WRONG),
        ([DRAINED], State.WRONG),
        ([ILL], State.WRONG),
        ([], State.UNKNOWN),
    ],
)
def test_one_node_is_enough_that_takes_the_pods(
    api: ApiServer, nodes: Callable[..., None], others: list[Any], state: State
) -> None:
    nodes(*others)
    judged = found(api.kubeconfig())["nodes"]
    assert judged.state is state
    if state is State.WRONG:
        provoked("0 of … take pods of", judged.found)
    assert judged.fix.endswith("image.platform linux/arm64") is (others == [ARM, WINDOWS])


def test_a_kubelet_must_know_what_the_objects_use_wherever_a_pod_may_be_put(
    api: ApiServer, nodes: Callable[..., None]
) -> None:
    nodes(ON_EC2, OLD)
    old = found(api.kubeconfig())["Kubernetes"]
    assert old.state is State.WRONG
    provoked("…, and the program's pods need 1.30 or newer", old.found)
    nodes(ON_EC2, OLD | KEPT)
    assert found(api.kubeconfig())["Kubernetes"].state is State.OK


WAITING = ON_EC2 | {"taints": [{"key": fitness.UNINITIALIZED, "effect": "NoSchedule"}]}


@pytest.mark.parametrize(
    ("others", "state", "said"),
    [
        ([WAITING, ON_EC2], State.OK, "cloud controller"),
        ([WAITING], State.MISSING, "waits for a cloud controller"),
        ([{"machine": "gce://project/zone/vm"}], State.MISSING, "gce://project/zone/vm"),
        ([{}], State.MISSING, "no machine"),
        ([], State.UNKNOWN, "no node"),
    ],
)
def test_a_controller_of_awss_is_told_by_the_nodes_where_one_is_wanted(
    api: ApiServer, nodes: Callable[..., None], others: list[Any], state: State, said: str
) -> None:
    nodes(*others)
    for kind in (BalancerKind.CLASSIC, BalancerKind.NLB):
        balancer = found(api.kubeconfig(), replace(NEEDS, balancer=kind))["balancer"]
        assert (balancer.state, said in balancer.found) == (state, True), balancer
        if state is State.MISSING:
            provoked("there is no controller of AWS's to make a balancer", balancer.found)
    assert found(api.kubeconfig(), replace(NEEDS, balancer=BalancerKind.NONE))["balancer"].state is State.OK


def test_a_service_of_another_controller_becomes_no_classic_balancer(api: ApiServer) -> None:
    to_come = replace(NEEDS, namespace="to-come", makes_namespace=True)
    assert found(api.kubeconfig(), to_come)["balancer"].state is State.OK
    class_ = "service.k8s.aws/nlb"
    spec = {"type": "LoadBalancer", "loadBalancerClass": class_, "ports": [{"port": 443}]}
    api.post(SERVICES, {"metadata": {"name": NEEDS.service}, "spec": spec})
    for kind, state in {BalancerKind.CLASSIC: State.WRONG, BalancerKind.NLB: State.OK}.items():
        balancer = found(api.kubeconfig(), replace(NEEDS, balancer=kind))["balancer"]
        assert (balancer.state, class_ in balancer.found) == (state, True)
    api.delete(f"{SERVICES}/{NEEDS.service}")


def test_a_certificate_for_the_pods_must_be_there(api: ApiServer) -> None:
    needs = replace(NEEDS, balancer=BalancerKind.NONE, tls_secret="site-tls")  # its name
    secrets, data = f"{NAMESPACES}/default/secrets", {"tls.crt": "", "tls.key": ""}

    def state() -> State:
        return found(api.kubeconfig(), needs)["app.tlsSecret"].state

    assert state() is State.MISSING
    for type_, expected in {"Opaque": State.WRONG, "kubernetes.io/tls": State.OK}.items():
        api.post(secrets, {"metadata": {"name": "site-tls"}, "type": type_, "data": data})
        assert state() is expected
        api.delete(f"{secrets}/site-tls")
    to_come = replace(needs, namespace="to-come", makes_namespace=True)
    fix = found(api.kubeconfig(), to_come)["app.tlsSecret"].fix
    assert fix.startswith(f"kubectl create namespace to-come && {EXISTING} && kubectl ")


def test_metrics_that_nobody_serves_are_told_from_those_that_nobody_registered(api: ApiServer) -> None:
    scales = replace(NEEDS, metrics=True)
    missing = found(api.kubeconfig(), scales)["app.scale"]
    assert missing.state is State.MISSING
    provoked("nothing in the cluster serves metrics.k8s.io", missing.found)
    service = {"name": "metrics-server", "namespace": "kube-system"}
    spec = {"group": "metrics.k8s.io", "version": "v1beta1", "service": service}
    priorities = {"groupPriorityMinimum": 100, "versionPriority": 100}
    services = "/apis/apiregistration.k8s.io/v1/apiservices"
    api.post(services, {"metadata": {"name": "v1beta1.metrics.k8s.io"}, "spec": spec | priorities})

    def unserved() -> None:
        assert found(api.kubeconfig(), scales)["app.scale"].state is State.WRONG

    eventually(unserved)  # the API server takes up a registration after a while
    assert len(stopped(api.kubeconfig(), scales)[1]) == 1
    assert stopped(api.kubeconfig(), scales, before=True)[1] == [], "the very up may bring them"
    assert "app.scale" not in found(api.kubeconfig())
    api.delete(f"{services}/v1beta1.metrics.k8s.io")


# In a preview.


def stopped(
    kubeconfig: str, needs: Needs = NEEDS, *, before: bool = False, owner: str = OWNER
) -> tuple[Inputs, list[str]]:
    """Return the inputs and the reasons for a failure from the provider's check, which stops a preview."""
    given = json.loads(json.dumps({**asdict(needs), "balancer": str(needs.balancer)}))  # as the engine sends it
    olds = {"needs": given, "owner": OWNER, "domain": DOMAIN} if before else {}
    news = {"kubeconfig": kubeconfig, "needs": given, "owner": owner, "domain": DOMAIN, "cluster": "one"}
    result = _AccessProvider().check(olds, news)
    return result.inputs, [failure.reason for failure in result.failures]


@pytest.mark.parametrize(
    ("state", "key"),
    [
        ({"cluster": "one", "uid": "another"}, "cluster"),
        ({"cluster": "two", "uid": None}, "cluster.name"),
        ({"cluster": "two", "uid": "another"}, None),
        ({"cluster": "one", "uid": None}, None),
        ({}, None),
    ],
    ids=["rebuilt", "renamed", "moved", "same", "not-recorded"],
)
def test_the_app_is_not_left_behind_in_another_cluster(api: ApiServer, state: Inputs, key: str | None) -> None:
    inputs, _ = stopped(api.kubeconfig())
    own = (api.get("/api/v1/namespaces/kube-system") or {})["metadata"]["uid"]
    assert inputs["uid"] == own
    if state.get("uid", "") is None:
        state = {**state, "uid": own}
    news = {**inputs, "kubeconfig": api.kubeconfig()}
    failures = _AccessProvider().check({"needs": inputs["needs"], "owner": OWNER, **state}, news).failures
    assert [each.reason.partition(":")[0] for each in failures] == ([key] if key else [])
    if key == "cluster":
        provoked("cluster: another one answers under the name", failures[0].reason)


@pytest.mark.parametrize("before", [False, True])
def test_every_reason_stops_a_preview_at_once_and_says_what_to_do(api: ApiServer, before: bool) -> None:
    needs = replace(NEEDS, namespace="nowhere", balancer=BalancerKind.NONE, tls_secret="site-tls")
    inputs, reasons = stopped(api.kubeconfig(), needs, before=before)
    assert len(reasons) == 2
    assert all("To fix it: " in each for each in reasons)
    assert "kubeconfig" not in inputs, "it would be kept in the state"


def test_a_cluster_that_does_not_answer_stops_only_who_begins_in_it(
    api: ApiServer, capfd: pytest.CaptureFixture[str]
) -> None:
    away = given(api, cluster={"server": "https://127.0.0.1:1"})
    assert len(stopped(away)[1]) == 1
    assert capfd.readouterr().err == ""
    assert stopped(away, before=True)[1] == []
    assert "https://127.0.0.1:1" in capfd.readouterr().err


def test_nodes_that_an_up_may_change_stop_only_who_begins_there(api: ApiServer, nodes: Callable[..., None]) -> None:
    nodes(ON_EC2 | ARM)
    assert len(stopped(api.kubeconfig())[1]) == 1
    assert stopped(api.kubeconfig(), before=True)[1] == []


def test_a_cluster_that_is_yet_to_be_made_stops_nobody() -> None:
    assert stopped(rpc.deserialize_property(rpc.UNKNOWN, keep_unknowns=True))[1] == []
