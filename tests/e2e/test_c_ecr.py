"""A stack with ECR: it pushes with a password that expires, pulls without a Secret, and its rights suffice."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
import yaml

from sandbox import addresses
from sandbox.layout import Layout
from tests.e2e import cloud, rights
from tests.e2e.site import Answer, Site, ask, connect, trusting
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually

NAME = "shop"
KEY = "THE-DEPLOYMENT"
"""The access key of the stack's own deployments, which tells their calls from all others."""

SHORT = 20
"""Seconds that a password is valid when a test waits for its end."""


@pytest.fixture(scope="module")
def shop(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Deploy the program in its own namespace, with ECR. Destroy it, and check that the cloud is as before."""
    before = cloud.settled(stack)
    made = stack.beside(tmp_path_factory.mktemp("ecr") / "program", name=NAME)
    file = made.folder / f"Pulumi.{NAME}.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["config"]["ejemplo-django:registry"] = {"driver": "ecr"}
    settings["config"]["ejemplo-django:namespace"] = {"name": NAME}
    file.write_text(yaml.safe_dump(settings).replace("local.example.test", f"{NAME}.example.test"))
    shop = replace(made, access_key=KEY)
    shop.run("pulumi", "stack", "select", "--create", NAME)
    try:
        shop.pulumi("preview")
        shop.change("up")
        yield shop
    finally:
        shop.change("destroy")
        shop.pulumi("stack", "rm", "--yes", "--preserve-config")

    def as_before() -> None:
        assert cloud.everything(stack) ^ before == set()

    eventually(as_before)


@pytest.fixture(scope="module")
def image(shop: Stack) -> str:
    """Return the image that runs."""
    return str(shop.outputs()["image"])


def pods(shop: Stack) -> Any:
    return shop.objects("pods", "--selector=app=ejemplo-django", f"--namespace={NAME}")["items"]


def test_the_site_answers_from_an_image_that_no_secret_pulled(shop: Stack, image: str, layout: Layout) -> None:
    assert f"{addresses.ECR_DOMAIN}/{cloud.REPOSITORY}@sha256:" in image
    assert {each["imageID"] for pod in pods(shop) for each in pod["status"]["containerStatuses"]} == {image}
    assert [pod["spec"].get("imagePullSecrets") for pod in pods(shop)] == [None, None]
    secrets = shop.objects("secrets", f"--namespace={NAME}")["items"]
    assert [each for each in secrets if each["type"] == "kubernetes.io/dockerconfigjson"] == []
    assert shop.outputs()["pullSecret"] == ""
    # A new load balancer is in service within seconds.
    site = Site(host=f"ejemplo-django.{NAME}.example.test", ca=layout.ca)
    assert eventually(site.page).status == 200


def test_the_next_run_gets_another_password_and_changes_nothing(shop: Stack) -> None:
    assert shop.plan().steps == []
    assert shop.change("up").steps == []
    assert shop.change("refresh").steps == []


def test_no_password_is_in_the_state_nor_in_what_is_said(shop: Stack) -> None:
    again = shop.pulumi("up", "--yes", "--skip-preview", "--diff", "--show-sames")
    kept = shop.pulumi("stack", "export").out
    shown = shop.pulumi("stack", "export", "--show-secrets").out
    [password] = {each for each in re.findall(r'"plaintext": "(.*)"', shown) if "ends" in _inside(each)}
    assert password
    assert password not in kept
    assert password not in again.said


def _inside(plaintext: str) -> str:
    """Return the readable part of the sandbox's password, empty for another secret."""
    text = str(json.loads(json.loads(f'"{plaintext}"'))) if plaintext.startswith('\\"') else plaintext
    try:
        return b64decode(text.partition(".")[0] + "==", altchars=b"-_").decode()
    except ValueError:
        return ""


def _asked(layout: Layout, image: str, password: str | None) -> Answer:
    host, _, path = image.partition("/")
    repository, _, digest = path.partition("@")
    headers = {"Accept": cloud.MANIFEST}
    if password is not None:
        headers["Authorization"] = f"Basic {b64encode(f'AWS:{password}'.encode()).decode()}"
    with closing(connect(host, 443, addresses.ECR_ADDRESS, trusting(layout.ca))) as connection:
        return ask(connection, f"/v2/{repository}/manifests/{digest}", headers=headers)


def _password() -> str:
    given = cloud.client("ecr").get_authorization_token()["authorizationData"][0]
    return b64decode(given["authorizationToken"]).decode().partition(":")[2]


def test_the_registry_takes_every_password_that_aws_gave_and_no_other(layout: Layout, image: str) -> None:
    first, second = _password(), _password()
    assert first != second
    assert [_asked(layout, image, each).status for each in (first, second)] == [200, 200]
    assert _asked(layout, image, None).status == 401
    assert _asked(layout, image, f"{first}x").status == 403


def test_a_pod_is_started_after_the_password_has_ended(shop: Stack, layout: Layout, image: str) -> None:
    layout.ecr_password_life.write_text(str(SHORT))
    try:
        _pull(shop, "first", image)
        ends = _password()

        def ended() -> None:
            assert _asked(layout, image, ends).status == 403

        eventually(ended)
        _pull(shop, "second", image)
    finally:
        layout.ecr_password_life.unlink()
        shop.kubectl("delete", "pod", "first", "second", f"--namespace={NAME}", "--ignore-not-found", "--now")


def _pull(shop: Stack, name: str, image: str) -> None:
    """Start a pod that has to ask the registry for the image, even if the node has it."""
    container = {"name": "only", "image": image, "imagePullPolicy": "Always", "command": ["sleep", "600"]}
    # As a consumer writes the output pullSecret, even when it is empty.
    spec = {"containers": [container], "imagePullSecrets": [{"name": ""}], "terminationGracePeriodSeconds": 1}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAME}, "spec": spec}
    shop.kubectl("apply", "--filename=-", stdin=json.dumps(pod))
    shop.kubectl("wait", f"pod/{name}", f"--namespace={NAME}", "--for=condition=Ready", "--timeout=60s")


def test_a_changed_build_wants_a_tag_of_its_own(shop: Stack, image: str) -> None:
    with (shop.folder / "app" / "Dockerfile").open("a") as file:
        file.write('LABEL changed="yes"\n')
    refused = shop.pulumi("preview", check=False)
    assert refused.code != 0
    assert f"this one names {image[-71:]}. Set image.tag to a new version" in refused.said
    assert "Set image.tag to a new version" in shop.change("up", check=False).messages

    shop.pulumi("config", "set", "--path", "image.tag", "v2")
    changed = shop.change("up").operations
    assert changed["docker:index/image:Image app-image"] == "update"
    tags = {each["imageTag"]: each["imageDigest"] for each in _images()}
    assert tags["v1"] == image[-71:] != tags["v2"]
    assert shop.outputs()["image"][-71:] == tags["v2"]


def _images() -> Any:
    return cloud.client("ecr").list_images(repositoryName=cloud.REPOSITORY)["imageIds"]


def test_the_tag_stays_the_first_images_whoever_pushes(shop: Stack, layout: Layout) -> None:
    repository = f"{shop.outputs()['image'].partition('@')[0]}"
    shop.run("docker", "tag", f"{repository}:v2", f"{repository}:v1")
    shop.run("docker", "login", "--username=AWS", "--password-stdin", repository.partition("/")[0], stdin=_password())
    pushed = shop.run("docker", "push", f"{repository}:v1", check=False)
    assert pushed.code != 0
    assert "cannot be overwritten because the repository is immutable" in pushed.said


# This test is last: it destroys the stack, so that the calls of `destroy` count too.
def test_the_policies_allow_every_call_of_the_deployments_and_have_a_use_for_each_statement(
    shop: Stack, layout: Layout
) -> None:
    shop.change("destroy")
    asked = rights.calls(layout, who=KEY)
    assert {"CreateHostedZone", "DeleteBucket", "DeleteRepository"} <= {each["operation"] for each in asked}
    rights.hold(
        asked,
        checkout=layout.checkout,
        policies=("deploy", "deploy-ecr"),
        places={"DOMAIN": f"{NAME}.example.test", "REPOSITORY": cloud.REPOSITORY},
    )
