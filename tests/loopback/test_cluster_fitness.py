"""A cluster that is not fit for the program is refused with the reason: each is a real answer, or none, on loopback."""

import base64
import copy
import datetime
import json
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
import trustme
from pulumi.runtime import rpc

from infra import fitness, kubeconfigs, kubectl
from infra.access import _AccessProvider
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.settings.needs import Needs
from tests.fast.graph import Graph, Inputs

pytestmark = pytest.mark.usefixtures("kubectl")

NEEDS = Needs(
    namespace="web", platform="linux/amd64", balancer=BalancerKind.CLASSIC, service="site-service", tls_secret=""
)
NODE: Inputs = {
    "metadata": {"name": "node-1"},
    "spec": {"providerID": "aws:///us-east-1a/i-0a1b2c3d"},
    "status": {
        "nodeInfo": {"operatingSystem": "linux", "architecture": "amd64", "kubeletVersion": "v1.34.4"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
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
        """The status and the object; an API server's errors are objects too."""
        code, answer = self._answer(method, path, headers, body)
        return code, answer if code < 400 else {"kind": "Status", **answer}

    def _answer(self, method: str, path: str, headers: Any, body: Inputs) -> tuple[int, Inputs]:
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
                return (200, {"metadata": {}}) if name in self.namespaces else (404, {"message": "not found"})
            case ["api", "v1", "namespaces", "web", "services"] if method == "POST":
                self.made += query != "dryRun=All"
                return 201, {"spec": body["spec"] | {"loadBalancerClass": self.class_for_new}}
        return (200, self.objects[path]) if path in self.objects else (404, {"message": f"no {path}"})


@cache
def any_tls() -> ssl.SSLContext:
    """For a client that trusts everybody; without TLS, kubectl would not log in."""
    return served_with(trustme.CA().issue_cert("127.0.0.1"))


@contextmanager
def serving(world: World, *, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve the world on loopback; gives the URL."""
    own = tls or any_tls()

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
            # A client that refuses the certificate ends the connection, which is what it is to do.
            with suppress(ssl.SSLError, ConnectionError), own.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def kubeconfig(url: str, *, ca: str = "", user: Inputs | None = None) -> str:
    trust: Inputs = {"certificate-authority-data": base64.b64encode(ca.encode()).decode()} if ca else {}
    cluster = {"server": url} | (trust or {"insecure-skip-tls-verify": True})
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
        return {each.check: each for each in fitness.look(kubeconfig(url), needs)}


def reached(kubeconfig: str) -> Finding:
    """What is found of the cluster itself."""
    return fitness.look(kubeconfig, NEEDS)[0]


def unreached(kubeconfig: str, state: State = State.MISSING) -> str:
    """Why there is no answer: the only finding then."""
    [only] = fitness.look(kubeconfig, NEEDS)
    assert only.state is state
    return only.found


def test_a_fit_cluster_is_found_fit_and_nothing_is_made_in_it() -> None:
    world = World()
    assert {each.state for each in examined(world).values()} == {State.OK}
    assert world.made == 0


# Reaching it.


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{probe.getsockname()[1]}"
        said = unreached(kubeconfig(url))
    assert url in said
    assert "connection refused" in said


def test_a_name_that_is_in_no_dns_is_told() -> None:
    said = unreached(kubeconfig("https://api.no-such-cluster.invalid"))
    assert "https://api.no-such-cluster.invalid" in said
    assert "lookup" in said


def ca_text(ca: trustme.CA) -> str:
    return ca.cert_pem.bytes().decode()


def served_with(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def test_a_certificate_of_the_authority_in_the_kubeconfig_is_taken() -> None:
    ca = trustme.CA()
    with serving(World(), tls=served_with(ca.issue_cert("127.0.0.1"))) as url:
        assert reached(kubeconfig(url, ca=ca_text(ca))).state == State.OK


@pytest.mark.parametrize(
    ("own", "names", "days", "said"),
    [
        (False, ["127.0.0.1"], 30, "unknown authority"),
        (True, ["127.0.0.1"], -1, "expired"),
        (True, ["127.0.0.2"], 30, "valid for 127.0.0.2"),
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


def test_a_login_that_the_cluster_does_not_know_is_told() -> None:
    with serving(World(known=False)) as url:
        assert "401" in unreached(kubeconfig(url), State.WRONG)


def test_a_server_that_is_no_cluster_is_told() -> None:
    class Elsewhere(World):
        def answer(self, method: str, path: str, headers: Any, body: Inputs) -> tuple[int, Inputs]:
            return 418, {}

    with serving(Elsewhere()) as url:
        assert "418" in unreached(kubeconfig(url), State.WRONG)


def test_a_cluster_behind_a_path_of_its_server_is_asked_there() -> None:
    class Behind(World):
        def answer(self, method: str, path: str, headers: Any, body: Inputs) -> tuple[int, Inputs]:
            head, prefix, rest = path.partition("/k8s/clusters/c-1")
            return super().answer(method, rest, headers, body) if prefix and not head else (404, {})

    with serving(Behind()) as url:
        assert reached(kubeconfig(f"{url}/k8s/clusters/c-1")).state == State.OK


def test_without_kubectl_it_is_said_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [only] = fitness.look(kubeconfig("https://127.0.0.1:1"), NEEDS)
    assert only.state is State.WRONG
    assert "https://kubernetes.io/" in only.mend


# What no kubeconfig gives away.

TOKEN = "eyJhbGciOi.a-bearer-token.c2ln"


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\nmore"])
def test_a_token_with_a_line_break_is_told_and_is_in_no_text(ending: str) -> None:
    with serving(World()) as url:
        given = kubeconfig(url, user={"token": f"{TOKEN}{ending}"})
        assert TOKEN not in unreached(given, State.WRONG)
        assert TOKEN not in "".join(checked(given)[1])


def test_no_credential_is_repeated_from_what_a_login_command_says(tmp_path: Path) -> None:
    user = plugin(tmp_path, 'echo "no use for $LOGIN" >&2; exit 1')
    user["exec"]["env"] = [{"name": "LOGIN", "value": TOKEN}]
    said = unreached(kubeconfig("https://127.0.0.1:1", user=user), State.WRONG)
    assert "no use for" in said
    assert TOKEN not in said


def test_a_number_in_the_place_of_a_token_is_in_no_text() -> None:
    assert "8675309" not in unreached(kubeconfig("https://127.0.0.1:1", user={"token": 8675309}), State.WRONG)


def test_the_login_of_a_proxy_is_in_no_text() -> None:
    given = json.loads(kubeconfig("https://127.0.0.1:1"))
    given["clusters"][0]["cluster"]["proxy-url"] = f"socks9://ci:{TOKEN}@127.0.0.1:2"
    assert TOKEN not in unreached(json.dumps(given), State.WRONG)


def test_a_token_is_in_no_file_command_or_environment_while_the_cluster_is_asked() -> None:
    with serving(World(token=TOKEN)) as url, kubectl.connect(kubeconfig(url, user={"token": TOKEN})) as cluster:
        assert cluster.ask("/version")
        assert cluster.folder.stat().st_mode & 0o077 == 0
        assert [each for each in cluster.folder.iterdir() if each.is_file() and TOKEN in each.read_text()] == []
        children = psutil.Process().children(recursive=True)
        assert any("proxy" in each.cmdline() for each in children)
        assert TOKEN not in str([(each.cmdline(), each.environ()) for each in children])
    assert not cluster.folder.exists()


def test_nothing_keeps_the_cluster_open_when_its_process_is_killed() -> None:
    program = (
        "import sys\n"
        "from infra import kubectl\n"
        "with kubectl.connect(sys.argv[1]):\n"
        "    print(flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, kubeconfig("https://127.0.0.1:1")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


# What is no kubeconfig that can be used.


@pytest.mark.parametrize(
    "change",
    [
        lambda given: given["users"][0].update(user={"token": "REDACTED"}),
        lambda given: given["clusters"][0]["cluster"].update({"certificate-authority-data": "DATA+OMITTED"}),
        lambda given: given["contexts"][0].update(context=None),
        lambda given: given.update(clusters=[]),
    ],
)
def test_a_kubeconfig_that_leaves_something_out_is_refused_with_the_command_for_a_whole_one(
    change: Callable[[Any], None],
) -> None:
    given = json.loads(kubeconfig("https://127.0.0.1:1"))
    change(given)
    [only] = fitness.look(json.dumps(given), NEEDS)
    assert (only.state, only.mend) == (State.WRONG, "kubectl config view --raw --minify --flatten")


def test_a_kubeconfig_in_base64_is_told_from_one_that_is_not() -> None:
    text = kubeconfig("https://127.0.0.1:1")
    assert kubeconfigs.mistake(text) is None
    found = kubeconfigs.mistake(base64.encodebytes(text.encode()).decode())
    assert found is not None
    assert "base64 --decode" in found


@pytest.mark.parametrize("user", [{"auth-provider": {"name": "gcp"}}, {"auth-provider": {"name": "oidc"}}, {}])
def test_a_login_that_kubectl_does_not_know_is_told(user: Inputs) -> None:
    unreached(kubeconfig("https://127.0.0.1:1", user=user), State.WRONG)


# Logging in by a command.


def plugin(folder: Path, script: str) -> Inputs:
    file = folder / "login"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "interactiveMode": "Never"}}


def credential(status: Inputs | None) -> str:
    given = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(given)}'"


def test_the_token_of_an_exec_plugin_is_used_and_asked_for_once(tmp_path: Path) -> None:
    user = plugin(tmp_path, f"echo x >> {tmp_path}/times; {credential({'token': 'of-the-plugin'})}")
    with serving(World(token="of-the-plugin")) as url:
        found = fitness.look(kubeconfig(url, user=user), NEEDS)
    assert {each.state for each in found} == {State.OK}
    assert (tmp_path / "times").read_text() == "x\n"


def test_an_exec_plugin_that_is_not_there_is_named_with_its_own_hint(tmp_path: Path) -> None:
    user = plugin(tmp_path, "")
    user["exec"] |= {"command": "no-such-login", "installHint": "see the wiki"}
    said = unreached(kubeconfig("https://127.0.0.1:1", user=user), State.WRONG)
    assert "no-such-login" in said
    assert "see the wiki" in said


def test_an_exec_plugin_that_fails_is_named_with_its_last_line_alone(tmp_path: Path) -> None:
    user = plugin(tmp_path, "echo a long story >&2; echo no SSO session >&2; exit 3")
    said = unreached(kubeconfig("https://127.0.0.1:1", user=user), State.WRONG)
    assert "no SSO session" in said
    assert "login" in said
    assert "a long story" not in said


@pytest.mark.parametrize("status", [None, {}])
def test_an_exec_plugin_that_gives_no_login_is_told(tmp_path: Path, status: Inputs | None) -> None:
    unreached(kubeconfig("https://127.0.0.1:1", user=plugin(tmp_path, credential(status))), State.WRONG)


def test_an_exec_plugin_that_waits_is_named_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubectl, "SECONDS", 0.5)
    user = plugin(tmp_path, f"echo $$ > {tmp_path}/pid; exec tail -f /dev/null")
    assert user["exec"]["command"] in unreached(kubeconfig("https://127.0.0.1:1", user=user))
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=10)


def test_an_exec_plugin_that_asks_a_person_is_told_that_nobody_is_there(tmp_path: Path) -> None:
    user = plugin(tmp_path, f"read -r code; {credential({'token': '$code'})}")
    user["exec"]["interactiveMode"] = "Always"
    assert "interactive" in unreached(kubeconfig("https://127.0.0.1:1", user=user), State.WRONG)


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


def test_a_kubelet_must_know_what_the_objects_use_wherever_a_pod_may_be_put() -> None:
    old = changed(NODE, "status.nodeInfo.kubeletVersion", "v1.29.15")
    assert examined(World(nodes=[NODE, old]))["Kubernetes"].state == State.WRONG
    kept = changed(old, "spec.taints", [{"key": "gpu", "effect": "NoSchedule"}])
    assert examined(World(nodes=[NODE, kept]))["Kubernetes"].state == State.OK


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


def changed(node: Inputs, path: str, value: Any) -> Inputs:
    """A copy of the node with another value."""
    copied: Inputs = copy.deepcopy(node)
    *parents, key = path.split(".")
    place = copied
    for each in parents:
        place = place[each]
    place[key] = value
    return copied


ARM = changed(NODE, "status.nodeInfo.architecture", "arm64")
WINDOWS = changed(NODE, "status.nodeInfo.operatingSystem", "windows")
KEPT = changed(NODE, "spec.taints", [{"key": "gpu", "effect": "NoSchedule"}])
DRAINED = changed(NODE, "spec.unschedulable", True)
ILL = changed(NODE, "status.conditions", [{"type": "Ready", "status": "Unknown"}])
LAST = changed(NODE, "spec.taints", [{"key": "spot", "effect": "PreferNoSchedule"}])


@pytest.mark.parametrize(
    ("nodes", "state"),
    [
        ([ARM, WINDOWS, KEPT, DRAINED, ILL, NODE], State.OK),
        ([LAST], State.OK),
        ([ARM, WINDOWS], State.WRONG),
        ([KEPT], State.WRONG),
        ([DRAINED], State.WRONG),
        ([ILL], State.WRONG),
        ([], State.UNKNOWN),
    ],
)
def test_one_node_is_enough_that_takes_the_pods(nodes: list[Inputs], state: State) -> None:
    assert examined(World(nodes=nodes))["nodes"].state == state


def test_the_platform_of_the_nodes_is_the_mend_where_it_is_another() -> None:
    assert examined(World(nodes=[WINDOWS, ARM]))["nodes"].mend.endswith("image.platform linux/arm64")


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


def checked(kubeconfig: str, *, before: bool = False) -> tuple[Inputs, list[str]]:
    """What Pulumi's engine gets from the provider, for the resource whose check stops a preview."""
    given = {
        "namespace": "web",
        "platform": "linux/amd64",
        "balancer": "classic",
        "service": "site-service",
        "tls_secret": "",
    }
    olds = {"needs": given} if before else {}
    result = _AccessProvider().check(olds, {"kubeconfig": kubeconfig, "needs": given})
    return result.inputs, [failure.reason for failure in result.failures]


@pytest.mark.parametrize("before", [False, True])
def test_every_reason_stops_a_preview_at_once_and_says_what_to_do(before: bool) -> None:
    with serving(World(version="v1.20.0", namespaces=set())) as url:
        inputs, reasons = checked(kubeconfig(url), before=before)
    assert len(reasons) == 2
    assert all("To mend it: " in each for each in reasons)
    assert "kubeconfig" not in inputs, "it would be kept in the state"


def test_a_cluster_that_does_not_answer_stops_only_who_begins_in_it(capfd: pytest.CaptureFixture[str]) -> None:
    away = kubeconfig("https://127.0.0.1:1")
    assert len(checked(away)[1]) == 1
    assert capfd.readouterr().err == ""
    assert checked(away, before=True)[1] == []
    assert "https://127.0.0.1:1" in capfd.readouterr().err


def test_a_cluster_that_refuses_the_login_stops_whoever_comes() -> None:
    with serving(World(known=False)) as url:
        assert len(checked(kubeconfig(url), before=True)[1]) == 1


def test_nodes_that_an_up_may_change_stop_only_who_begins_there() -> None:
    with serving(World(nodes=[ARM])) as url:
        assert len(checked(kubeconfig(url))[1]) == 1
        assert checked(kubeconfig(url), before=True)[1] == []


def test_a_cluster_that_is_yet_to_be_made_stops_nobody() -> None:
    assert checked(rpc.deserialize_property(rpc.UNKNOWN, keep_unknowns=True))[1] == []
