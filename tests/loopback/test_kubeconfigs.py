"""Each reason why a kubeconfig leads to no cluster has its own message, and no message has a credential.

tests/conformance/test_fitness.py tests the checks of a cluster that answers.
"""

import base64
import datetime
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
from werkzeug import Request, Response

from infra import fitness, kubeconfigs, kubectl
from infra.finding import State
from tests.example import NEEDS, Inputs
from tests.troubles import provoked
from tests.web_server import serving

pytestmark = pytest.mark.usefixtures("kubectl")

NOBODY = "https://127.0.0.1:1"
TOKEN = "eyJhbGciOi.a-bearer-token.c2ln"
CA = trustme.CA()


def kubeconfig(url: str = NOBODY, *, ca: trustme.CA | None = None, user: Inputs | None = None) -> str:
    """Return a kubeconfig that trusts any certificate, or only those of `ca`."""
    cluster: Inputs = {"server": url, "insecure-skip-tls-verify": True}
    if ca:
        cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca.cert_pem.bytes()).decode()}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": TOKEN} if user is None else user}],
            "current-context": "c",
        }
    )


def refused(given: str, state: State = State.WRONG) -> str:
    """Return why a kubeconfig leads to no cluster; this is the only finding."""
    [only] = fitness.look(given, NEEDS)
    assert only.state is state
    return only.found


def of_version(version: str) -> Callable[[Request], Response]:
    """Return the answers of an API server whose user may see only its version."""

    def answer(request: Request) -> Response:
        known = request.path == "/version" and request.headers["Authorization"] == f"Bearer {TOKEN}"
        said = {"gitVersion": version} if known else {"kind": "Status", "message": "no right to it"}
        return Response(json.dumps(said), 200 if known else 403)

    return answer


# Reachability.


def test_a_port_where_nobody_listens_and_a_name_that_is_in_no_dns_are_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{probe.getsockname()[1]}"
        said = refused(kubeconfig(url), State.MISSING)
    assert url in said
    provoked("… does not answer: …connection refused", said)
    assert "lookup" in refused(kubeconfig("https://api.no-such-cluster.invalid"), State.MISSING)


@pytest.mark.parametrize(
    ("trusted", "name", "days", "said"),
    [
        (trustme.CA(), "127.0.0.1", 30, "unknown authority"),
        (CA, "127.0.0.1", -1, "expired"),
        (CA, "127.0.0.2", 30, "valid for 127.0.0.2"),
    ],
)
def test_why_a_certificate_is_not_taken_is_told_apart(trusted: trustme.CA, name: str, days: int, said: str) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    leaf = CA.issue_cert(name, not_before=until - datetime.timedelta(days=60), not_after=until)
    with serving(of_version("v1.34.4"), certificate=leaf) as port:
        found = refused(kubeconfig(f"https://127.0.0.1:{port}", ca=trusted), State.MISSING)
    assert said in found
    if "authority" in said:
        provoked("certificate signed by unknown authority", found)


def test_a_server_that_is_no_cluster_is_told() -> None:
    with serving(lambda _: Response("{}", 418), certificate=CA.issue_cert("127.0.0.1")) as port:
        assert "418" in refused(kubeconfig(f"https://127.0.0.1:{port}"))


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
    with serving(of_version(version), certificate=CA.issue_cert("127.0.0.1")) as port:
        found = {each.check: each for each in fitness.look(kubeconfig(f"https://127.0.0.1:{port}"), NEEDS)}
    assert (found["Kubernetes"].state, version in found["Kubernetes"].found) == (state, True)


def test_a_cluster_behind_a_path_of_its_server_is_asked_there() -> None:
    asked = set[str]()

    def answer(request: Request) -> Response:
        asked.add(request.path)
        return Response('{"kind": "Status"}', 403)

    with serving(answer, certificate=CA.issue_cert("127.0.0.1")) as port:
        fitness.look(kubeconfig(f"https://127.0.0.1:{port}/k8s/clusters/c-1"), NEEDS)
    assert asked
    assert all(each.startswith("/k8s/clusters/c-1/api") or each == "/k8s/clusters/c-1/version" for each in asked)


def test_without_kubectl_it_is_said_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    [only] = fitness.look(kubeconfig(), NEEDS)
    assert only.state is State.WRONG
    provoked("There is no `kubectl` on PATH", only.found)
    assert "https://kubernetes.io/" in only.fix


# No credential leaks.


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}\r\n", f"{TOKEN}\nmore", 8675309])
def test_a_token_that_is_none_is_told_and_is_in_no_text(token: str | int) -> None:
    assert str(token)[: len(TOKEN)] not in refused(kubeconfig(user={"token": token}))


def test_no_credential_is_repeated_from_what_a_login_command_says(tmp_path: Path) -> None:
    user = login(tmp_path, 'echo "no use for $LOGIN" >&2; exit 1')
    user["exec"]["env"] = [{"name": "LOGIN", "value": TOKEN}]
    said = refused(kubeconfig(user=user))
    assert "no use for" in said
    assert TOKEN not in said


def test_the_login_of_a_proxy_is_in_no_text() -> None:
    given = json.loads(kubeconfig())
    given["clusters"][0]["cluster"]["proxy-url"] = f"socks9://ci:{TOKEN}@127.0.0.1:2"
    assert TOKEN not in refused(json.dumps(given))


def test_a_token_is_in_no_file_command_or_environment_while_the_cluster_is_asked() -> None:
    with (
        serving(of_version("v1.34.4"), certificate=CA.issue_cert("127.0.0.1")) as port,
        kubectl.connect(kubeconfig(f"https://127.0.0.1:{port}")) as cluster,
    ):
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
    command, pipe = [sys.executable, "-c", program, kubeconfig()], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
        _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


# Unusable kubeconfigs.


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
    given = json.loads(kubeconfig())
    change(given)
    [only] = fitness.look(json.dumps(given), NEEDS)
    assert (only.state, only.fix) == (State.WRONG, "kubectl config view --raw --minify --flatten")


def test_a_kubeconfig_in_base64_is_told_from_one_that_is_not() -> None:
    assert kubeconfigs.mistake(kubeconfig()) is None
    assert "base64 --decode" in str(kubeconfigs.mistake(base64.encodebytes(kubeconfig().encode()).decode()))


@pytest.mark.parametrize("user", [{"auth-provider": {"name": "gcp"}}, {"auth-provider": {"name": "oidc"}}, {}])
def test_a_login_that_kubectl_does_not_know_is_told(user: Inputs) -> None:
    refused(kubeconfig(user=user))


# Login by a command.


def login(folder: Path, script: str) -> Inputs:
    """Return the user of a kubeconfig that logs in by a script."""
    file = folder / "login"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(file), "interactiveMode": "Never"}}


def test_a_login_command_that_is_not_there_is_named_with_its_own_hint(tmp_path: Path) -> None:
    user = login(tmp_path, "")
    user["exec"] |= {"command": "no-such-login", "installHint": "see the wiki"}
    said = refused(kubeconfig(user=user))
    assert "no-such-login" in said
    assert "see the wiki" in said


def test_a_login_command_that_fails_is_named_with_its_last_line_alone(tmp_path: Path) -> None:
    user = login(tmp_path, "echo a long story >&2; echo no SSO session >&2; exit 3")
    said = refused(kubeconfig(user=user))
    provoked("The login fails: …", said)
    assert "no SSO session" in said
    assert "login" in said
    assert "a long story" not in said


@pytest.mark.parametrize("status", [None, {}])
def test_a_login_command_that_gives_no_login_is_told(tmp_path: Path, status: Inputs | None) -> None:
    given = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    refused(kubeconfig(user=login(tmp_path, f"echo '{json.dumps(given)}'")))


def test_a_login_command_that_waits_is_named_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubectl, "SECONDS", 0.5)
    user = login(tmp_path, f"echo $$ > {tmp_path}/pid; exec tail -f /dev/null")
    assert user["exec"]["command"] in refused(kubeconfig(user=user), State.MISSING)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(timeout=10)


def test_a_login_command_that_asks_a_person_is_told_that_nobody_is_there(tmp_path: Path) -> None:
    user = login(tmp_path, "read -r code")
    user["exec"]["interactiveMode"] = "Always"
    assert "interactive" in refused(kubeconfig(user=user))
