"""A cluster that is not fit for the program is refused with the reason: each is a real answer, or none, on loopback."""

import base64
import datetime
import json
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import trustme
from pulumi.runtime import rpc

from infra.access import _AccessProvider, fitness
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.settings.needs import Needs
from tests.fast.graph import Graph, Inputs

NEEDS = Needs(
    namespace="web", platform="linux/amd64", balancer=BalancerKind.CLASSIC, service="site-service", tls_secret=""
)
NODE: Inputs = {
    "metadata": {"name": "node-1"},
    "spec": {"providerID": "aws:///us-east-1a/i-0a1b2c3d"},
    "status": {"nodeInfo": {"operatingSystem": "linux", "architecture": "amd64"}},
}


@dataclass
class World:
    """A cluster that is fit; a test changes it."""

    version: str = "v1.34.4"
    user: str = "ci"
    known: bool = True
    token: str | None = None
    """The only one that is taken, None for any."""
    denied: set[tuple[str, str]] = field(default_factory=set)
    """Verb and resource."""
    forbidden: set[str] = field(default_factory=set)
    """Paths that the user may not ask for."""
    nodes: list[Inputs] = field(default_factory=lambda: [NODE])
    namespaces: set[str] = field(default_factory=lambda: {"web"})
    objects: dict[str, Inputs] = field(default_factory=dict)
    class_for_new: str = ""
    made: int = 0
    """How often something was asked for that would have changed the cluster."""

    def answer(self, method: str, path: str, headers: Any, body: Inputs) -> tuple[int, Inputs]:
        path, _, query = path.partition("?")
        if not self.known or (self.token and headers["Authorization"] != f"Bearer {self.token}"):
            return 401, {"message": "Unauthorized"}
        if path in self.forbidden:
            return 403, {"message": f'User "{self.user}" cannot ask for {path}'}
        match path.strip("/").split("/"):
            case ["version"]:
                return 200, {"gitVersion": self.version}
            case [*_, "selfsubjectreviews"]:
                return 201, {"status": {"userInfo": {"username": self.user}}}
            case [*_, "selfsubjectaccessreviews"]:
                asked = body["spec"]["resourceAttributes"]
                assert asked["namespace"] == "web"
                return 201, {"status": {"allowed": (asked["verb"], asked["resource"]) not in self.denied}}
            case ["api", "v1", "nodes"]:
                return 200, {"items": self.nodes}
            case ["api", "v1", "namespaces", name]:
                return (200, {}) if name in self.namespaces else (404, {"message": "not found"})
            case ["api", "v1", "namespaces", "web", "services"] if method == "POST":
                self.made += query != "dryRun=All"
                return 201, {"spec": body["spec"] | {"loadBalancerClass": self.class_for_new}}
        return (200, self.objects[path]) if path in self.objects else (404, {"message": f"no {path}"})


@contextmanager
def serving(world: World, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve the world on loopback; gives the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            code, answer = world.answer(self.command, self.path, self.headers, body)
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815  # the same

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def finish_request(self, request: Any, client_address: Any) -> None:
            if tls is None:
                super().finish_request(request, client_address)
                return
            # A client that refuses the certificate ends the connection, which is what it is to do.
            with suppress(ssl.SSLError, ConnectionError), tls.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        server.shutdown()


def kubeconfig(url: str, *, ca: str = "", user: Inputs | None = None) -> str:
    cluster = {"server": url} | ({"certificate-authority-data": base64.b64encode(ca.encode()).decode()} if ca else {})
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
            "current-context": "c",
        }
    )


def examined(world: World, needs: Needs = NEEDS) -> dict[str, Finding]:
    """What is found of the world, by what was looked at."""
    with serving(world) as url:
        return {each.check: each for each in fitness.examine(kubeconfig(url), needs)}


def unreached(kubeconfig: str) -> str:
    """Why there is no answer: the only finding then, and a bad one."""
    [only] = fitness.examine(kubeconfig, NEEDS)
    assert only.bad
    return only.found


def test_a_fit_cluster_is_found_fit_and_nothing_is_made_in_it() -> None:
    world = World()
    assert {each.state for each in examined(world).values()} == {State.OK}
    assert world.made == 0


# Reaching it.


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert "refuses connections" in unreached(kubeconfig(f"https://127.0.0.1:{probe.getsockname()[1]}"))


def test_a_name_that_is_in_no_dns_is_told() -> None:
    said = unreached(kubeconfig("https://api.no-such-cluster.invalid"))
    assert "https://api.no-such-cluster.invalid" in said
    assert "DNS" in said


def ca_text(ca: trustme.CA) -> str:
    return ca.cert_pem.bytes().decode()


def served_with(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_a_certificate_of_the_authority_in_the_kubeconfig_is_taken() -> None:
    ca = trustme.CA()
    with serving(World(), tls=served_with(ca.issue_cert("127.0.0.1"))) as url:
        found, reached = fitness.reach(kubeconfig(url, ca=ca_text(ca)))
    assert found.state == State.OK
    assert reached is not None


@pytest.mark.parametrize(
    ("own", "names", "days", "said"),
    [
        (False, ["127.0.0.1"], 30, "an authority that the kubeconfig does not name"),
        (True, ["127.0.0.1"], -1, "expired"),
        (True, ["api.elsewhere.test"], 30, "other names"),
    ],
)
def test_why_a_certificate_is_not_taken_is_told_apart(own: bool, names: list[str], days: int, said: str) -> None:
    ca = trustme.CA()
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    leaf = ca.issue_cert(*names, not_before=until - datetime.timedelta(days=2), not_after=until)
    if days > 0:
        leaf = ca.issue_cert(*names)
    with serving(World(), tls=served_with(leaf)) as url:
        assert said in unreached(kubeconfig(url, ca=ca_text(ca if own else trustme.CA())))


def test_a_login_that_the_cluster_does_not_know_is_told_with_the_end_of_its_certificate() -> None:
    until, ca = datetime.datetime(2025, 3, 4, 5, 6, 7, tzinfo=datetime.UTC), trustme.CA()
    leaf = ca.issue_cert("ci", not_before=until - datetime.timedelta(hours=18), not_after=until)
    data = {
        "client-certificate-data": base64.b64encode(leaf.cert_chain_pems[0].bytes()).decode(),
        "client-key-data": base64.b64encode(leaf.private_key_pem.bytes()).decode(),
    }
    with serving(World(known=False), tls=served_with(ca.issue_cert("127.0.0.1"))) as url:
        said = unreached(kubeconfig(url, ca=ca_text(ca), user=data))
    assert "does not know the kubeconfig's user" in said
    assert "2025-03-04T05:06:07" in said


def test_a_server_that_is_no_cluster_is_told() -> None:
    class Elsewhere(World):
        def answer(self, method: str, path: str, headers: Any, body: Inputs) -> tuple[int, Inputs]:
            return 418, {}

    with serving(Elsewhere()) as url:
        assert "418" in unreached(kubeconfig(url))


# Logging in by a command.


def plugin(folder: Path, script: str) -> Inputs:
    file = folder / "login"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "interactiveMode": "Never"}}


def test_the_token_of_an_exec_plugin_is_used(tmp_path: Path) -> None:
    given = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "of-the-plugin"},
    }
    user = plugin(tmp_path, f"echo '{json.dumps(given)}'")
    with serving(World(token="of-the-plugin")) as url:  # no login anywhere
        assert fitness.reach(kubeconfig(url, user=user))[0].state == State.OK


def test_an_exec_plugin_that_is_not_there_is_named_with_its_own_hint(tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    user["exec"] |= {"command": "no-such-login", "installHint": "see the wiki"}
    said = unreached(kubeconfig("http://127.0.0.1:1", user=user))
    assert "no-such-login" in said
    assert "see the wiki" in said


def test_an_exec_plugin_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    said = unreached(kubeconfig("http://127.0.0.1:1", user=plugin(tmp_path, "echo no SSO session >&2; exit 3")))
    assert "no SSO session" in said
    assert "login" in said


def test_an_exec_plugin_that_gives_no_login_is_named(tmp_path: Path) -> None:
    given = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {}}
    said = unreached(kubeconfig("http://127.0.0.1:1", user=plugin(tmp_path, f"echo '{json.dumps(given)}'")))
    assert "no token and no certificate" in said


# What it is, and what it allows.


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("v1.29.15", State.WRONG),
        ("v1.9.0", State.WRONG),
        ("v2.0.0", State.WRONG),
        ("v1.30.0", State.OK),
        ("v1.33.5-eks-c39b1d0", State.OK),
        ("v1.45.1+k3s1", State.OK),
    ],
)
def test_a_version_must_know_what_the_objects_use(version: str, state: State) -> None:
    found = examined(World(version=version))["Kubernetes"]
    assert found.state == state
    assert version in found.found


def test_a_namespace_that_is_not_there_is_named_with_the_command() -> None:
    found = examined(World(namespaces=set()))["namespace"]
    assert (found.state, found.mend) == (State.MISSING, "kubectl create namespace web")


def test_all_missing_rights_are_named_at_once() -> None:
    found = examined(World(denied={("patch", "secrets"), ("watch", "endpoints"), ("delete", "deployments")}))["rights"]
    assert found.state == State.MISSING
    assert found.found == "ci may not patch secrets; delete deployments.apps; watch endpoints in web"
    assert found.mend.endswith("--namespace web --clusterrole edit --user 'ci'")


def test_a_service_accounts_rights_are_given_to_it_as_one() -> None:
    found = examined(World(user="system:serviceaccount:tools:deployer", denied={("get", "secrets")}))["rights"]
    assert found.mend.endswith("--serviceaccount tools:deployer")


def test_every_kind_that_the_program_declares_is_asked_for(graph: Graph) -> None:
    tokens = {each.type for each in graph.resources if each.type.startswith("kubernetes:")}
    kinds = {(token.split(":")[1].rpartition("/")[0].removeprefix("core"), token.split(":")[2]) for token in tokens}
    assert {(group, f"{kind.lower()}s") for group, kind in kinds} == set(fitness.OWN)


@pytest.mark.parametrize("forbidden", ["/api/v1/nodes", "/api/v1/namespaces/web", "/version"])
def test_what_the_user_may_not_look_at_stops_nobody(forbidden: str) -> None:
    found = examined(World(forbidden={forbidden})).values()
    assert not any(each.bad for each in found)
    assert any(each.state == State.UNKNOWN and forbidden in each.found for each in found)


# Nodes and the balancer.


def node(**changes: Any) -> Inputs:
    return {**NODE, **changes}


@pytest.mark.parametrize(
    ("nodes", "state"),
    [
        ([NODE], State.OK),
        ([NODE, node(status={"nodeInfo": {"operatingSystem": "linux", "architecture": "arm64"}})], State.WRONG),
        ([], State.UNKNOWN),
    ],
)
def test_all_nodes_must_run_the_image(nodes: list[Inputs], state: State) -> None:
    assert examined(World(nodes=nodes))["nodes"].state == state


WAITING = {"taints": [{"key": fitness.UNINITIALIZED, "effect": "NoSchedule"}], "providerID": "aws:///us-east-1a/i-0a"}


@pytest.mark.parametrize(
    ("nodes", "state", "said"),
    [
        ([NODE], State.OK, "node-1"),
        ([node(spec=WAITING), NODE], State.OK, "cloud controller"),
        ([node(spec=WAITING)], State.MISSING, "waits for a cloud controller"),
        ([node(spec={"providerID": "gce://project/zone/vm"})], State.MISSING, "gce://project/zone/vm"),
        ([node(spec={})], State.MISSING, "no machine"),
        ([], State.UNKNOWN, "no node"),
    ],
)
@pytest.mark.parametrize("kind", [BalancerKind.CLASSIC, BalancerKind.NLB])
def test_a_controller_of_awss_is_told_by_the_nodes(
    kind: BalancerKind, nodes: list[Inputs], state: State, said: str
) -> None:
    found = examined(World(nodes=nodes), replace(NEEDS, balancer=kind))["balancer"]
    assert (found.state, said in found.found) == (state, True), found


def test_without_a_balancer_of_awss_no_controller_is_looked_for() -> None:
    found = examined(World(nodes=[node(spec={})]), replace(NEEDS, balancer=BalancerKind.NONE))["balancer"]
    assert found.state == State.OK


NEW, LIVE = World(class_for_new="service.k8s.aws/nlb"), "/api/v1/namespaces/web/services/site-service"


@pytest.mark.parametrize(("kind", "state"), [(BalancerKind.CLASSIC, State.WRONG), (BalancerKind.NLB, State.OK)])
def test_a_controller_that_takes_every_new_service_makes_no_classic_balancer(kind: BalancerKind, state: State) -> None:
    found = examined(NEW, replace(NEEDS, balancer=kind))["balancer"]
    assert found.state == state
    assert "service.k8s.aws/nlb" in found.found
    assert NEW.made == 0


def test_a_service_that_is_there_keeps_the_controller_that_it_has() -> None:
    world = World(class_for_new="service.k8s.aws/nlb", objects={LIVE: {"spec": {}}})
    assert examined(world)["balancer"].state == State.OK


@pytest.mark.parametrize(
    ("objects", "state"),
    [
        ({}, State.MISSING),
        ({"/api/v1/namespaces/web/secrets/site-tls": {"type": "Opaque"}}, State.WRONG),
        ({"/api/v1/namespaces/web/secrets/site-tls": {"type": "kubernetes.io/tls"}}, State.OK),
    ],
)
def test_a_certificate_for_the_pods_must_be_there(objects: dict[str, Inputs], state: State) -> None:
    needs = replace(NEEDS, balancer=BalancerKind.NONE, tls_secret="site-tls")  # its name
    assert examined(World(objects=objects), needs)["app.tlsSecret"].state == state


# In a preview.

Checking = Callable[[str], tuple[Inputs, list[str]]]


def checked(kubeconfig: str) -> tuple[Inputs, list[str]]:
    """What Pulumi's engine gets from the provider, for the resource whose check stops a preview."""
    given = {
        "namespace": "web",
        "platform": "linux/amd64",
        "balancer": "classic",
        "service": "site-service",
        "tls_secret": "",
    }
    result = _AccessProvider().check({}, {"kubeconfig": kubeconfig, "needs": given})
    return result.inputs, [failure.reason for failure in result.failures]


def test_every_reason_stops_a_preview_at_once_and_says_what_to_do() -> None:
    with serving(World(version="v1.20.0", namespaces=set())) as url:
        inputs, reasons = checked(kubeconfig(url))
    assert len(reasons) == 2
    assert all("To mend it: " in each for each in reasons)
    assert "kubeconfig" not in inputs, "it would be kept in the state"


def test_a_cluster_that_is_yet_to_be_made_stops_nobody() -> None:
    assert checked(rpc.deserialize_property(rpc.UNKNOWN, keep_unknowns=True))[1] == []
