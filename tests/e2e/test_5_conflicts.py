"""A release succeeds after others changed the program's objects, and after a failed rollout.

The API server records who set a field last, and refuses others to change it unless they force it.
"""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.site import Site
from tests.e2e.stack import Change, Stack, edited
from tests.e2e.waiting import eventually

LINE = "Ask again, and another pod may answer."
NEW_LINE = f"Ask again, whoever was here meanwhile: {secrets.token_hex(4)}."
PROTOCOL = "service.beta.kubernetes.io/aws-load-balancer-backend-protocol"


@pytest.fixture(scope="module")
def release(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Change]:
    """Change declared fields with three clients, each in its own way; then deploy a changed line of the app."""
    copy = stack.copied(tmp_path_factory.mktemp("released") / "program")
    edited(copy.folder / "app/ejemplo/templates/page.html", {LINE: NEW_LINE})
    try:
        stack.kubectl("scale", "deployment/ejemplo-django", "--replicas=1")
        stack.run("env", "KUBE_EDITOR=sed -i s/384Mi/500Mi/", "kubectl", "edit", "deployment/ejemplo-django")
        for theirs in (
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "ejemplo-django"},
                "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 30}}},
            },
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "ejemplo-django-service", "annotations": {PROTOCOL: "tcp"}},
            },
        ):
            stack.kubectl(
                *("apply", "--server-side", "--force-conflicts", "--field-manager=somebody", "--filename=-"),
                stdin=json.dumps(theirs),
            )
        assert _pod(stack)["terminationGracePeriodSeconds"] == 30  # otherwise the tests below would prove nothing
        yield copy.change("up", "--refresh")
    finally:
        stack.change("up", "--refresh")


def _deployment(stack: Stack) -> Any:
    return stack.objects("deployment/ejemplo-django")


def _pod(stack: Stack) -> Any:
    return _deployment(stack)["spec"]["template"]["spec"]


def test_the_release_goes_out(release: Change, site: Site) -> None:
    assert "kubernetes:apps/v1:Deployment web-deployment" in release.operations

    def there() -> None:
        """The old pods answer until they are gone."""
        assert NEW_LINE in site.page().body

    eventually(there)


@pytest.mark.usefixtures("release")
def test_what_kubectl_scaled_is_as_declared(stack: Stack) -> None:
    deployment = _deployment(stack)
    assert deployment["spec"]["replicas"] == deployment["status"]["readyReplicas"] == 2


@pytest.mark.usefixtures("release")
def test_what_kubectl_edited_is_as_declared(stack: Stack) -> None:
    [container] = _pod(stack)["containers"]
    assert container["resources"]["limits"]["memory"] == "384Mi"


@pytest.mark.usefixtures("release")
def test_what_another_field_manager_took_is_as_declared(stack: Stack) -> None:
    assert _pod(stack)["terminationGracePeriodSeconds"] != 30
    assert stack.objects("service/ejemplo-django-service")["metadata"]["annotations"][PROTOCOL] == "http"


@pytest.mark.usefixtures("release")
def test_a_release_after_a_scaling_by_hand_needs_no_refresh(stack: Stack, tmp_path: Path) -> None:
    copy = stack.copied(tmp_path / "program")
    edited(copy.folder / "app/ejemplo/templates/page.html", {LINE: f"{NEW_LINE} Again."})
    stack.kubectl("scale", "deployment/ejemplo-django", "--replicas=3")
    copy.change("up")
    assert _deployment(stack)["spec"]["replicas"] == 2


@pytest.mark.parametrize("turn", [1, 2])
def test_a_good_release_follows_a_rollout_that_failed(turn: int, stack: Stack, site: Site, tmp_path: Path) -> None:
    """When the good release begins, the Deployment still has the old `ProgressDeadlineExceeded`."""
    broken = stack.copied(tmp_path / "broken")
    edited(broken.folder / "app/Dockerfile", {'CMD ["gunicorn"]': f'CMD ["python3", "-c", "exit({turn})"]'})
    edited(broken.folder / "infra/app/pod.py", {"_PULL = 240": "_PULL = 1"})
    edited(broken.folder / "Pulumi.local.yaml", {"      path: /healthz": "      path: /healthz\n      startSeconds: 5"})
    assert broken.change("up", check=False).done.code != 0
    conditions = {each["type"]: each for each in _deployment(stack)["status"]["conditions"]}
    assert conditions["Progressing"]["reason"] == "ProgressDeadlineExceeded"

    good = stack.change("up")

    assert good.operations["kubernetes:apps/v1:Deployment web-deployment"] == "update"
    assert eventually(site.page).status == 200
