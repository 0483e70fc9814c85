"""The settings where a mistake is silent and expensive."""

import base64
import json
import runpy
import urllib.parse
from typing import Any

import pytest
import yaml
from ejemplo import environment

from infra.app.environment import looks_secret
from infra.key import _RandomKeyProvider
from tests.example import AWS_SECRET, MADE_KEY, PASSWORD, Inputs
from tests.fast.graph import changed
from tests.recorder import ROOT, Graph, declare, texts

KEPT = {
    "Zone": "forceDestroy",
    "Bucket": "forceDestroy",
    "Repository": "forceDelete",
    "Namespace": "",
    "RandomKey": "",
}
"""The protected types, each with the input that lets AWS delete it with its contents; empty where there is none."""

TOKEN = "a-token-of-the-operator-0123456789"  # not a real token


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


def test_two_apps_in_a_zone_that_is_there_have_no_bucket_in_common(config: Inputs) -> None:
    shared = changed(config, {"zone.existing": True, "domain": "example.com", "hosts": ["example.com"]})
    buckets = {declare(changed(shared, {"app.name": name})).one("Bucket").inputs["bucket"] for name in ("shop", "blog")}
    assert buckets == {"clusters.shop.example.com", "clusters.blog.example.com"}


@pytest.mark.parametrize(("type_", "with_all"), [*KEPT.items()])
def test_what_cannot_be_made_again_is_protected_unless_the_stack_says_otherwise(
    config: Inputs, type_: str, with_all: str
) -> None:
    config = changed(config, {"registry": {"driver": "ecr"}, "namespace.name": "shop", "app.randomSecrets": {"A": 50}})
    kept = declare(config).one(type_)
    assert (kept.protect, kept.inputs.get(with_all, False)) == (True, False)
    loose = declare(changed(config, {"protect": False})).one(type_)
    assert (loose.protect, loose.inputs.get(with_all, True)) == (False, True)


def test_no_image_that_has_a_tag_expires_and_no_tag_leaves_its_image(config: Inputs) -> None:
    graph = declare(config | {"registry": {"driver": "ecr"}})
    repository = graph.one("Repository").inputs
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    (rule,) = json.loads(graph.one("LifecyclePolicy", repository=repository["name"]).inputs["policy"])["rules"]
    assert rule["selection"]["tagStatus"] == "untagged"


@pytest.mark.parametrize("preview", [False, True])
def test_a_secret_is_only_ever_handed_over_as_a_secret(config: Inputs, preview: bool) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-1b2c3d"
    config = changed(config, {"app.secrets": {"TOKEN": TOKEN}, "app.awsSecrets": {"A": arn}})
    graph = declare(config, encrypted=("app",), preview=preview)
    login = base64.b64encode(f"ci:{PASSWORD}".encode()).decode()
    secrets = [PASSWORD, login, "kubeconfig-token", TOKEN, MADE_KEY, AWS_SECRET]
    seen = set()
    for value in [each.inputs for each in graph.declared] + list(graph.exports.values()):
        for text, is_secret in texts(value):
            for secret in secrets:
                for form in (secret, base64.b64encode(secret.encode()).decode(), urllib.parse.quote(secret)):
                    if form in text:
                        assert is_secret, "a secret in plain text"
                        seen.add(secret)
    # Generated and read values are unknown before the first `up`, and so is everything in one Secret with them.
    assert seen == set(secrets) - ({MADE_KEY, AWS_SECRET, TOKEN} if preview else set())


@pytest.mark.parametrize(
    ("variable", "text", "secret"),
    [
        ("STRIPE_KEY", "", True),
        ("GITHUB_TOKEN", "", True),
        ("DB_PASSWORD", "", True),
        ("DATABASE_URL", "postgres://shop:hunter2@db/shop", True),
        ("DATABASE_URL", "postgres://shop@db/shop", False),
        ("KEYCLOAK_URL", "https://login.example.com/a:b@c", False),
        ("MONKEYS", "3", False),
    ],
)
def test_a_plain_variable_that_looks_secret_is_told_from_others(variable: str, text: str, secret: bool) -> None:
    assert looks_secret(variable, text) is secret


def test_a_plain_variable_that_looks_secret_is_warned_of(config: Inputs, caplog: pytest.LogCaptureFixture) -> None:
    declare(changed(config, {"app.env": {"API_KEY": TOKEN, "PORT": "1"}}))
    (warning,) = (each.getMessage() for each in caplog.records if each.levelname == "WARNING")
    assert warning.startswith("app.env.API_KEY ")
    assert TOKEN not in warning


def test_the_made_key_is_kept_as_a_secret(graph: Graph) -> None:
    assert graph.one("RandomKey").secret_outputs == ("value",)


def test_a_key_is_made_once_long_and_never_the_same() -> None:
    provider = _RandomKeyProvider()
    made: list[Any] = [provider.create({"length": 64}).outs for _ in range(2)]
    first, second = (each["value"] for each in made)
    assert first != second
    assert (len(first), len(second)) == (64, 64)
    # The key stays even if the SDK serializes the provider differently.
    assert provider.diff("id", {"value": first, "__provider": "a"}, {"__provider": "b"}).changes is False


def test_the_sample_understands_the_variables_of_its_own_stack_files() -> None:
    for file in (*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples" / "stacks").glob("*.yaml")):
        settings = yaml.safe_load(file.read_text())["config"]["ejemplo-django:app"]
        read = environment.read(settings["env"] | dict.fromkeys(settings["randomSecrets"], "given-by-the-cluster"))
        assert (read.debug, read.behind_tls_balancer) == (False, True)
        assert len(read.allowed_hosts) == 1


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
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    # The only writable place; it is deleted with the pod.
    assert [each["mountPath"] for each in container["volumeMounts"]] == ["/tmp"]  # noqa: S108  # the pod's
    assert [each.keys() for each in pod["volumes"]] == [{"name", "emptyDir"}]


def test_memory_is_limited_and_cpu_is_not(container: Inputs) -> None:
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}
