"""The pods run the image that was pushed, and pulling it needs the registry's login."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import addresses
from sandbox.layout import Layout
from tests.e2e import cloud
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually

POD = "e2e-pull"

ORDINARY = """\
FROM python:3.11-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
RUN pip install --upgrade pip && pip wheel --no-binary markupsafe --wheel-dir /wheels markupsafe==2.1.5

FROM python:3.11-slim-bookworm
WORKDIR /app
COPY --from=build /wheels /wheels
RUN pip install /wheels/*
RUN python -c "import markupsafe._speedups" && python -V | grep "$PYTHON_VERSION"
"""


def test_an_ordinary_dockerfile_builds(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(ORDINARY)
    stack.run("docker", "build", str(tmp_path))


@pytest.fixture(scope="module")
def reference(outputs: dict[str, Any]) -> str:
    """Return the image by digest, as the stack's output has it."""
    return str(outputs["image"])


@pytest.fixture(scope="module")
def manifest(reference: str) -> str:
    """Return the path of the running image in the registry's API."""
    repository, _, digest = reference.partition("@")
    assert repository == f"{addresses.REGISTRY}/{cloud.REPOSITORY}"
    return f"/v2/{cloud.REPOSITORY}/manifests/{digest}"


@pytest.fixture
def pod(stack: Stack) -> Iterator[None]:
    """Delete the test's pod at the end."""
    yield
    stack.kubectl("delete", "pod", POD, "--ignore-not-found", "--now")


def _start(stack: Stack, image: str, *, secrets: list[str]) -> None:
    """Start a pod that has to ask the registry for the image, even if the node has it."""
    container = {"name": "only", "image": image, "imagePullPolicy": "Always", "command": ["sleep", "600"]}
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {
            "containers": [container],
            "imagePullSecrets": [{"name": name} for name in secrets],
            "terminationGracePeriodSeconds": 1,
        },
    }
    stack.kubectl("apply", "--filename=-", stdin=json.dumps(manifest))


def test_the_deployment_runs_two_of_two_on_that_digest(stack: Stack, reference: str) -> None:
    deployment = stack.objects("deployment/ejemplo-django")
    status = deployment["status"]
    counts = {status[name] for name in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")}
    assert counts == {deployment["spec"]["replicas"]} == {2}
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == reference


def test_the_pods_run_what_that_digest_names(stack: Stack, reference: str) -> None:
    pods = stack.objects("pods", "--selector=app=ejemplo-django")["items"]
    assert {status["imageID"] for pod in pods for status in pod["status"]["containerStatuses"]} == {reference}


def test_the_registry_has_that_digest_for_who_logs_in(layout: Layout, manifest: str) -> None:
    answer = cloud.registry(layout, manifest, password=cloud.password(layout))
    assert answer.status == 200
    assert manifest.endswith(answer.headers["Docker-Content-Digest"])


@pytest.mark.parametrize("login", [None, "not-the-password"])
def test_the_registry_refuses_who_does_not(layout: Layout, manifest: str, login: str | None) -> None:
    assert cloud.registry(layout, manifest, password=login).status == 401


@pytest.mark.usefixtures("pod")
def test_a_pod_without_the_secret_is_refused_the_image(stack: Stack, reference: str) -> None:
    _start(stack, reference, secrets=[])

    def refused() -> str:
        statuses = stack.objects(f"pod/{POD}")["status"].get("containerStatuses", ())
        waiting = [each["state"].get("waiting", {}) for each in statuses]
        assert [each.get("reason") for each in waiting] == ["ErrImagePull"]
        return str(waiting[0]["message"])

    message = eventually(refused)
    assert "401 Unauthorized" in message or "authorization failed" in message


@pytest.mark.usefixtures("pod")
def test_a_pod_with_the_secret_gets_it(stack: Stack, reference: str) -> None:
    _start(stack, reference, secrets=["regcred"])
    stack.kubectl("wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=60s")


def test_regcred_is_the_only_login_that_the_pods_have(stack: Stack) -> None:
    template = stack.objects("deployment/ejemplo-django")["spec"]["template"]["spec"]
    assert template["imagePullSecrets"] == [{"name": "regcred"}]
    account = stack.objects(f"serviceaccount/{template.get('serviceAccountName', 'default')}")
    assert not account.get("imagePullSecrets")
    assert stack.objects("secret/regcred")["type"] == "kubernetes.io/dockerconfigjson"
