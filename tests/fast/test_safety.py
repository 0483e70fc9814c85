"""The settings where a mistake is silent and expensive."""

import base64
import json
import runpy
import urllib.parse
from typing import Any

import pytest
from ejemplo import environment

from infra.key import _RandomKeyProvider
from tests.fast.graph import MADE_KEY, PASSWORD, ROOT, Graph, Inputs, changed, declare, texts

KEPT = {"Zone": "forceDestroy", "Bucket": "forceDestroy", "Repository": "forceDelete"}
"""What AWS keeps while something is in it, by its type, with the input by which it goes all the same."""

GIVEN_KEY = "a-key-of-the-operator-0123456789-0123456789-0123456789"


@pytest.fixture
def deployment(graph: Graph) -> Inputs:
    spec: Inputs = graph.one("Deployment").inputs["spec"]
    return spec


@pytest.fixture
def container(deployment: Inputs) -> Inputs:
    only: Inputs
    (only,) = deployment["template"]["spec"]["containers"]
    return only


def test_the_state_bucket_is_versioned_encrypted_and_private(graph: Graph) -> None:
    bucket = graph.one("Bucket").inputs["bucket"]
    assert bucket == "clusters.dev.example.com"
    versioned = graph.one("BucketVersioning", bucket=bucket).inputs
    assert versioned["versioningConfiguration"]["status"] == "Enabled"
    (rule,) = graph.one("BucketServerSideEncryptionConfiguration", bucket=bucket).inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "AES256"
    private = graph.one("BucketPublicAccessBlock", bucket=bucket).inputs
    assert [private[each] for each in ("blockPublicAcls", "blockPublicPolicy")] == [True, True]
    assert [private[each] for each in ("ignorePublicAcls", "restrictPublicBuckets")] == [True, True]
    owned = graph.one("BucketOwnershipControls", bucket=bucket).inputs
    assert owned["rule"]["objectOwnership"] == "BucketOwnerEnforced"


def test_the_state_bucket_refuses_plain_http_to_anyone_for_anything(graph: Graph) -> None:
    policy = graph.one("BucketPolicy").inputs
    (statement,) = json.loads(policy["policy"])["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    arn = "arn:aws:s3:::clusters.dev.example.com"
    assert sorted(statement["Resource"]) == [arn, f"{arn}/*"]


@pytest.mark.parametrize(("type_", "with_all"), [*KEPT.items()])
def test_what_cannot_be_made_again_is_protected_unless_the_stack_says_otherwise(
    config: Inputs, type_: str, with_all: str
) -> None:
    config = config | {"registry": {"driver": "ecr"}}
    kept = declare(config).one(type_)
    assert (kept.protect, kept.inputs[with_all]) == (True, False)
    loose = declare(changed(config, {"protect": False})).one(type_)
    assert (loose.protect, loose.inputs[with_all]) == (False, True)


def test_no_image_that_has_a_tag_expires_and_no_tag_leaves_its_image(config: Inputs) -> None:
    graph = declare(config | {"registry": {"driver": "ecr"}})
    repository = graph.one("Repository").inputs
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    (rule,) = json.loads(graph.one("LifecyclePolicy", repository=repository["name"]).inputs["policy"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged"


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("given", [False, True])
def test_a_secret_is_only_ever_handed_over_as_a_secret(config: Inputs, preview: bool, given: bool) -> None:
    if given:
        config = changed(config, {"app.secretKey": GIVEN_KEY})
    graph = declare(config, encrypted=("app",) if given else (), preview=preview)
    login = base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
    secrets = [PASSWORD, login, "kubeconfig-token", GIVEN_KEY if given else MADE_KEY]
    seen = set()
    for value in [each.inputs for each in graph.declared] + list(graph.exports.values()):
        for text, is_secret in texts(value):
            for secret in secrets:
                for form in (secret, base64.b64encode(secret.encode()).decode(), urllib.parse.quote(secret)):
                    if form in text:
                        assert is_secret, "a secret in plain text"
                        seen.add(secret)
    # A made key is not known before the up.
    assert seen == set(secrets) - ({MADE_KEY} if preview else set())


def test_the_made_key_is_kept_as_a_secret(graph: Graph) -> None:
    assert graph.one("RandomKey").secret_outputs == ("value",)


def test_a_key_is_made_once_long_and_never_the_same() -> None:
    provider = _RandomKeyProvider()
    made: list[Any] = [provider.create({}).outs for _ in range(2)]
    first, second = (each["value"] for each in made)
    assert first != second
    assert min(len(first), len(second)) >= 50
    # Whatever the SDK makes of the provider tomorrow, the key stays.
    assert provider.diff("id", {"value": first, "__provider": "a"}, {"__provider": "b"}).changes is False


def test_the_app_understands_the_environment_that_the_pods_give_it(container: Inputs) -> None:
    variables = {each["name"]: each.get("value", "given-by-the-cluster") for each in container["env"]}
    read = environment.read(variables)
    assert read.debug is False
    assert read.behind_tls_balancer is True
    assert read.allowed_hosts == ["ejemplo-django.dev.example.com"]
    assert read.version == "v1"
    assert {each["name"] for each in container["env"] if "valueFrom" in each} == {"POD_NAME", "SECRET_KEY"}


def test_the_app_listens_where_the_pods_are_asked(config: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = declare(changed(config, {"app.port": 8123})).one("Deployment").inputs["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    port = next(each["value"] for each in container["env"] if each["name"] == "PORT")
    monkeypatch.setenv("PORT", port)
    gunicorn = runpy.run_path(str(ROOT / "app" / "gunicorn.conf.py"))
    assert gunicorn["bind"] == "0.0.0.0:8123"  # inside a container
    assert container["ports"][0]["containerPort"] == 8123


def test_debug_reaches_the_app_only_when_it_is_asked_for(config: Inputs) -> None:
    deployment = declare(changed(config, {"app.debug": True})).one("Deployment").inputs["spec"]
    (container,) = deployment["template"]["spec"]["containers"]
    variables = {each["name"]: each.get("value", "given-by-the-cluster") for each in container["env"]}
    assert environment.read(variables).debug is True


def test_the_probes_ask_for_a_host_that_the_app_answers_to(container: Inputs) -> None:
    for probe, path in (
        ("startupProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/healthz"),
    ):
        asked = container[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (path, "ed-port")
        assert asked["httpHeaders"] == [{"name": "Host", "value": "ejemplo-django.dev.example.com"}]


def test_no_pod_goes_before_its_successor_serves(deployment: Inputs) -> None:
    assert deployment["replicas"] == 2
    assert deployment["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
    }


def test_a_pod_has_the_time_to_end_what_it_serves(deployment: Inputs, container: Inputs) -> None:
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    in_flight = runpy.run_path(str(ROOT / "app" / "gunicorn.conf.py"))["graceful_timeout"]
    assert pause > 0
    assert deployment["template"]["spec"]["terminationGracePeriodSeconds"] > pause + in_flight


def test_kubernetes_gives_up_before_pulumi_does(deployment: Inputs) -> None:
    assert deployment["progressDeadlineSeconds"] < 600


def test_a_drain_takes_one_pod_at_a_time(graph: Graph, deployment: Inputs) -> None:
    budget = graph.one("PodDisruptionBudget").inputs["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["selector"] == deployment["selector"]


def test_a_pod_can_do_no_more_than_serve(deployment: Inputs, container: Inputs) -> None:
    pod = deployment["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    # The one place to write, which goes with the pod.
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/tmp"]  # noqa: S108  # the pod's
    assert [each.keys() for each in pod["volumes"]] == [{"name", "emptyDir"}]


def test_memory_is_limited_and_cpu_is_not(container: Inputs) -> None:
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}
