"""A cluster that somebody else manages: what its kubeconfig must allow, and a change to another kubeconfig."""

import base64
import copy
import datetime
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import trustme
import yaml

from infra import fitness
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from sandbox import addresses, pki
from sandbox.layout import Layout
from tests import example
from tests.e2e import cloud
from tests.e2e.forwarding import another_address
from tests.e2e.site import Site
from tests.e2e.stack import Change, Stack
from tests.e2e.waiting import eventually

SPACE, ACCOUNT = "e2e-existing", "deployer"
DOMAIN = "existing.example.test"
HOST = f"ejemplo-django.{DOMAIN}"
NEEDS = replace(example.NEEDS, namespace=SPACE, balancer=BalancerKind.NLB, service="ejemplo-django-service")
RIGHTS = [
    (group, resource, verb)
    for resources, verbs in ((fitness.OWN, fitness.OWN_VERBS), (fitness.WATCHED, fitness.WATCHED_VERBS))
    for group, resource in resources
    for verb in verbs
]


def grant(stack: Stack, rights: list[tuple[str, str, str]]) -> None:
    """Give the account these rights and no others."""
    rules = [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for group, resource, verb in rights]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": ACCOUNT, "namespace": SPACE},
        "rules": rules,
    }
    stack.kubectl("apply", "--filename=-", stdin=json.dumps(role))


@pytest.fixture(scope="module")
def account(stack: Stack) -> Iterator[str]:
    """Create an account with the rights that the program needs in one namespace; yield its kubeconfig."""
    stack.kubectl("create", "namespace", SPACE)
    try:
        stack.kubectl("create", "serviceaccount", ACCOUNT, f"--namespace={SPACE}")
        grant(stack, RIGHTS)
        binding = (f"--role={ACCOUNT}", f"--serviceaccount={SPACE}:{ACCOUNT}", f"--namespace={SPACE}")
        stack.kubectl("create", "rolebinding", ACCOUNT, *binding)
        token = stack.kubectl("create", "token", ACCOUNT, f"--namespace={SPACE}").strip()
        yield of_user(stack.layout, {"token": token})
    finally:
        stack.kubectl("delete", "namespace", SPACE)


def of_user(layout: Layout, user: dict[str, str], *, server: str = "", ca: bytes = b"") -> str:
    """Return the sandbox's kubeconfig with another user, and optionally another address or authority."""
    document = copy.deepcopy(yaml.safe_load(layout.kubeconfig.read_text()))
    document["users"][0]["user"] = user
    cluster = document["clusters"][0]["cluster"]
    if server:
        cluster |= {"server": server, "tls-server-name": addresses.NODE_ADDRESS}
    if ca:
        cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
    return yaml.safe_dump(document)


def certificate(layout: Layout, *, end: datetime.datetime | None = None) -> dict[str, str]:
    """Issue a new certificate of the cluster's administrator; with an `end` it lasts 18 hours, like those of kops."""
    leaf = pki.authority(layout).issue_cert(
        "admin.sandbox",
        common_name="admin",
        organization_name="system:masters",
        not_before=end - datetime.timedelta(hours=18) if end else None,
        not_after=end,
    )
    return {
        "client-certificate-data": base64.b64encode(leaf.cert_chain_pems[0].bytes()).decode(),
        "client-key-data": base64.b64encode(leaf.private_key_pem.bytes()).decode(),
    }


@pytest.fixture(scope="module")
def other(stack: Stack, account: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Create a stack of the program in the account's namespace, behind a network load balancer; deploy nothing."""
    made = stack.copied(tmp_path_factory.mktemp("existing") / "program", name="existing")
    configure(made, account)
    made.pulumi("stack", "init", "--no-select")
    yield made
    made.pulumi("stack", "rm", "--yes", "--force")


def configure(stack: Stack, kubeconfig: str, **cluster: object) -> None:
    """Write the kubeconfig and the stack file, which names the kubeconfig unless there are settings in `cluster`."""
    (stack.folder / "kubeconfig").write_text(kubeconfig)
    document = yaml.safe_load((stack.layout.checkout / "Pulumi.local.yaml").read_text())
    document["config"] |= {
        "ejemplo-django:domain": DOMAIN,
        "ejemplo-django:namespace": {"name": SPACE, "existing": True},
        "ejemplo-django:cluster": {
            "driver": "existing",
            "name": DOMAIN,
            "balancer": "nlb",
            **(cluster or {"kubeconfigFile": "kubeconfig"}),
        },
    }
    # Neither a network load balancer nor `balancer: none` sets X-Forwarded-Proto.
    document["config"]["ejemplo-django:app"]["env"] = {"ALLOWED_HOSTS": f".{DOMAIN}", "ONLY_HTTPS": "True"}
    (stack.folder / f"Pulumi.{stack.name}.yaml").write_text(yaml.safe_dump(document))


def refused(stack: Stack) -> str:
    """Run a preview, which must fail; return what it said."""
    preview = stack.pulumi("preview", check=False)
    assert preview.code != 0
    assert "Traceback" not in preview.said
    return preview.said


# What a preview refuses.


@pytest.mark.usefixtures("kubectl")
@pytest.mark.parametrize("right", RIGHTS, ids=lambda right: "-".join(filter(None, right)))
def test_a_missing_right_is_named(stack: Stack, account: str, right: tuple[str, str, str]) -> None:
    grant(stack, [each for each in RIGHTS if each != right])
    group, resource, verb = right

    def named() -> Finding:
        [found] = [each for each in fitness.look(account, NEEDS) if each.check == "rights"]
        expected = f"{verb} {resource}{'.' if group else ''}{group} in {SPACE}"
        assert found.found == f"system:serviceaccount:{SPACE}:{ACCOUNT} may not {expected}"
        return found

    assert eventually(named).state == State.MISSING  # the authorizer learns of a new role by a watch


def test_a_preview_names_every_missing_right_and_makes_nothing(stack: Stack, other: Stack, account: str) -> None:
    lacking = [("", "secrets", "create"), ("apps", "replicasets", "watch")]
    grant(stack, [each for each in RIGHTS if each not in lacking])
    before = cloud.aws()
    said = refused(other)
    assert "may not create secrets; watch replicasets.apps" in said
    assert f"--serviceaccount {SPACE}:{ACCOUNT}" in said
    assert cloud.aws() == before
    grant(stack, RIGHTS)


def test_a_certificate_that_ended_is_told(other: Stack, layout: Layout) -> None:
    end = datetime.datetime(2025, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    configure(other, of_user(layout, certificate(layout, end=end)))
    assert "401" in refused(other)


def test_a_server_of_another_authority_is_told(layout: Layout) -> None:
    [found] = fitness.look(of_user(layout, certificate(layout), ca=trustme.CA().cert_pem.bytes()), NEEDS)
    assert "unknown authority" in found.found


def test_a_server_that_is_not_there_is_told_in_time(other: Stack, layout: Layout) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"https://127.0.0.1:{probe.getsockname()[1]}"
        configure(other, of_user(layout, certificate(layout), server=address))
        assert f"{address} does not answer" in refused(other)


def test_a_stack_without_such_an_output_is_named_with_the_key(other: Stack, account: str) -> None:
    configure(other, account, kubeconfigStack="organization/ejemplo-django/local", kubeconfigOutput="admin")
    said = refused(other)
    assert "The stack organization/ejemplo-django/local has no output admin" in said


# Deployed with the rights that a preview asks for, and no others.


@pytest.fixture(scope="module")
def up(stack: Stack, other: Stack, account: str) -> Iterator[Change]:
    """Deploy the other stack as the account; destroy it at the end."""
    grant(stack, RIGHTS)
    configure(other, account)
    before = cloud.aws()
    try:
        yield other.change("up")
    finally:
        configure(other, account)
        other.change("destroy")
    assert cloud.aws() == before, "no balancer leaves anything behind"


@pytest.fixture
def nlb(up: Change, layout: Layout) -> Site:
    """Return the site behind the network load balancer."""
    return Site(host=HOST, ca=layout.ca)


def test_the_rights_that_are_asked_for_are_enough(up: Change, nlb: Site) -> None:
    (balancer,) = cloud.client("elbv2").describe_load_balancers()["LoadBalancers"]
    assert balancer["Type"] == "network"
    assert eventually(nlb.page).status == 200


def test_behind_a_network_balancer_every_request_is_one_by_https_whatever_it_says(nlb: Site) -> None:
    for claim in ("http", "https", "nonsense"):
        answer = nlb.ask(headers={"X-Forwarded-Proto": claim})
        assert answer.status == 200, "redirected, it would be for ever"
        assert "Strict-Transport-Security" in answer.headers


def test_a_network_balancer_takes_no_plain_http(nlb: Site) -> None:
    with pytest.raises(ConnectionRefusedError):
        nlb.ask(scheme="http")


def pods(stack: Stack) -> set[str]:
    """Return the UIDs of the pods that are not being deleted."""
    found: dict[str, Any] = stack.objects("pods", f"--namespace={SPACE}")
    return {each["metadata"]["uid"] for each in found["items"] if "deletionTimestamp" not in each["metadata"]}


def test_another_certificate_and_address_change_nothing_in_the_cluster(
    up: Change, stack: Stack, other: Stack, layout: Layout
) -> None:
    before = pods(stack)
    objects = cloud.cluster(stack)
    with another_address() as server:
        configure(other, of_user(layout, certificate(layout), server=server))
        plan = other.plan()
        change = other.change("up")
    for each in (plan, change):
        assert set(each.operations) <= {"pulumi:providers:kubernetes cluster"}
        assert set(each.operations.values()) <= {"update"}
    assert pods(stack) == before
    assert cloud.cluster(stack) == objects


def changed(change: Change) -> dict[str, str]:
    """Return the operations, without those of stack references, which are read and later discarded."""
    return {
        each: how for each, how in change.operations.items() if not each.startswith("pulumi:pulumi:StackReference ")
    }


def test_the_kubeconfig_of_another_stack_is_as_good_and_stays_secret(
    up: Change, stack: Stack, other: Stack, account: str
) -> None:
    configure(other, account, kubeconfigStack="organization/ejemplo-django/local")
    change = other.change("up")
    assert changed(change).keys() <= {"pulumi:providers:kubernetes cluster"}
    assert other.outputs()["kubeconfig"] == "[secret]"


def test_a_kubeconfig_as_an_encrypted_text_is_as_good(up: Change, other: Stack, account: str) -> None:
    configure(other, account, name=DOMAIN)
    key = ("--path", "ejemplo-django:cluster.kubeconfig")
    other.run("pulumi", "config", "set", "--secret", *key, f"--stack={other.name}", stdin=account)
    text = (other.folder / f"Pulumi.{other.name}.yaml").read_text()
    assert "secure:" in text
    assert set(changed(other.plan()).values()) <= {"update"}


def test_without_a_balancer_of_awss_the_pods_end_tls_and_take_up_a_renewed_certificate(
    up: Change, stack: Stack, other: Stack, account: str, layout: Layout
) -> None:
    first, renewed = (pki.authority(layout).issue_cert(HOST) for _ in range(2))
    stack.kubectl("apply", "--filename=-", stdin=json.dumps(tls_secret(first)))
    configure(other, account, kubeconfigFile="kubeconfig", balancer="none")
    document = yaml.safe_load((other.folder / f"Pulumi.{other.name}.yaml").read_text())
    app = document["config"]["ejemplo-django:app"]
    app["tlsSecret"] = "site-tls"
    app["env"]["TLS_FOLDER"] = "/tls"
    (other.folder / f"Pulumi.{other.name}.yaml").write_text(yaml.safe_dump(document))
    change = other.change("up")
    services = [operation for label, operation in change.steps if label == "kubernetes:core/v1:Service web-service"]
    assert any("replace" in each for each in services), "a balancer of another kind would be left behind"
    assert cloud.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
    site = Site(host=HOST, ca=layout.ca)

    def serves(leaf: trustme.LeafCert) -> None:
        with closing(site.connect()) as connection:
            assert isinstance(connection.sock, ssl.SSLSocket)
            found = connection.sock.getpeercert(binary_form=True)
        assert found is not None
        assert ssl.DER_cert_to_PEM_cert(found).encode() == leaf.cert_chain_pems[0].bytes()

    eventually(lambda: serves(first))
    answer = site.ask(headers={"X-Forwarded-Proto": "http"})
    assert answer.status == 200
    assert "Strict-Transport-Security" in answer.headers
    before = pods(stack)
    stack.kubectl("apply", "--filename=-", stdin=json.dumps(tls_secret(renewed)))
    eventually(lambda: serves(renewed))  # the kubelet looks at its Secrets about once a minute
    assert pods(stack) == before


def tls_secret(leaf: trustme.LeafCert) -> dict[str, Any]:
    """Return the Secret with the pods' certificate."""
    data = {"tls.crt": leaf.cert_chain_pems[0].bytes(), "tls.key": leaf.private_key_pem.bytes()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "site-tls", "namespace": SPACE},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(each).decode() for name, each in data.items()},
    }
