"""Whether a real API server is found fit: who the kubeconfig makes of its user, and what really becomes of objects."""

import dataclasses
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import yaml

from infra import fitness, kubectl
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.settings.needs import Needs
from tests.conformance import api_server
from tests.conformance.api_server import ApiServer

pytestmark = [pytest.mark.usefixtures("kubectl"), pytest.mark.timeout(120)]

NEEDS = Needs(
    namespace="default", platform="linux/amd64", balancer=BalancerKind.NONE, service="site-service", tls_secret=""
)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with one node."""
    with api_server.running(tmp_path_factory.mktemp("cluster") / "api") as made:
        info = dict.fromkeys(
            ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "osImage"), ""
        )
        info |= {"systemUUID": "", "kubeletVersion": "v1.34.4", "operatingSystem": "linux", "architecture": "amd64"}
        status = {"nodeInfo": info, "conditions": [{"type": "Ready", "status": "True"}]}
        made.post("/api/v1/nodes", {"metadata": {"name": "node-1"}, "status": status})
        yield made


def given(api: ApiServer, *, user: Any = None, cluster: Any = None, context: Any = None) -> str:
    """The server's kubeconfig with more in its parts."""
    document = yaml.safe_load(api.kubeconfig())
    document["users"][0]["user"] |= user or {}
    document["clusters"][0]["cluster"] |= cluster or {}
    document["contexts"][0]["context"] |= context or {}
    return yaml.safe_dump(document)


def found(kubeconfig: str, needs: Needs = NEEDS) -> dict[str, Finding]:
    """What is found, by what was looked at."""
    return {each.check: each for each in fitness.look(kubeconfig, needs)}


def test_a_fit_cluster_is_found_fit_and_nothing_is_made_in_it(api: ApiServer) -> None:
    assert {each.state for each in found(api.kubeconfig()).values()} == {State.OK}
    services = (api.get("/api/v1/services") or {})["items"]
    assert [each for each in services if each["metadata"]["name"].startswith(NEEDS.service)] == []


def test_the_user_that_is_impersonated_is_asked_for_and_with_its_groups(api: ApiServer) -> None:
    nobody = found(given(api, user={"as": "reader"}))
    assert nobody["cluster"].found.endswith("as reader")
    assert nobody["rights"].state is State.MISSING
    master = found(given(api, user={"as": "reader", "as-groups": ["system:masters"]}))
    assert master["rights"].state is State.OK


def test_a_token_in_a_file_may_end_in_a_newline(api: ApiServer, tmp_path: Any) -> None:
    (tmp_path / "token").write_text(f"{api.token}\n")
    document = yaml.safe_load(api.kubeconfig())
    document["users"][0]["user"] = {"tokenFile": str(tmp_path / "token")}
    assert found(yaml.safe_dump(document))["cluster"].state is State.OK


@contextmanager
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy on loopback that knows CONNECT alone; its URL, and the first line of each request."""
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


def test_a_namespace_that_is_being_deleted_is_refused(api: ApiServer) -> None:
    api.post("/api/v1/namespaces", {"metadata": {"name": "leaving"}})
    needs = dataclasses.replace(NEEDS, namespace="leaving")
    assert found(api.kubeconfig(), needs)["namespace"].state is State.OK
    api.delete("/api/v1/namespaces/leaving")  # nothing here ends it
    assert found(api.kubeconfig(), needs)["namespace"].state is State.WRONG


def test_where_the_context_names_another_namespace_that_is_the_mend(api: ApiServer) -> None:
    api.post("/api/v1/namespaces", {"metadata": {"name": "team-a"}})
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/team-a"
    resources = [resource for _, resource in (*fitness.OWN, *fitness.WATCHED)]
    groups = sorted({group for group, _ in (*fitness.OWN, *fitness.WATCHED)})
    rule = {"apiGroups": groups, "resources": resources, "verbs": list(fitness.OWN_VERBS)}
    api.post(f"{rbac}/roles", {"metadata": {"name": "team"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "team"},
        "subjects": [{"kind": "User", "name": "dev", "apiGroup": "rbac.authorization.k8s.io"}],
        "roleRef": {"kind": "Role", "name": "team", "apiGroup": "rbac.authorization.k8s.io"},
    }
    api.post(f"{rbac}/rolebindings", binding)
    kubeconfig = given(api, user={"as": "dev"}, context={"namespace": "team-a"})
    missing = found(kubeconfig)["rights"]
    assert (missing.state, missing.mend) == (State.MISSING, "pulumi config set namespace team-a")
    meant = found(kubeconfig, dataclasses.replace(NEEDS, namespace="team-a"))
    assert meant["rights"].state is State.OK


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
