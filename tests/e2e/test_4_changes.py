"""What an `up` changes: nothing the second time, and after a changed line of the app only the image and the pods."""

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import cloud
from tests.e2e.machine import process_of, services
from tests.e2e.session import Times
from tests.e2e.site import Site
from tests.e2e.stack import Change, Stack, declared, edited
from tests.e2e.waiting import eventually
from tests.e2e.watching import Visits, visited

TRIES = 3
"""How often a short time is measured. The shortest counts: other load on the machine only adds to it."""

LINE = "Ask again, and another pod may answer."
CHANGED_LINE = f"Ask again, and this line has changed: {secrets.token_hex(4)}."
"""Different in each session, so that image and ReplicaSet are new even on a sandbox that was tested before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A changed line of the app, deployed while the site was visited."""

    plan: Change
    change: Change
    visits: Visits
    page: str
    image: str
    old_image: str
    pods: set[str]
    old_pods: set[str]
    replica_sets: set[str]
    old_replica_sets: set[str]
    objects: dict[str, Any]
    old_objects: dict[str, Any]


def _names(stack: Stack, kind: str) -> set[str]:
    found = stack.objects(kind, "--selector=app=ejemplo-django")["items"]
    return {each["metadata"]["name"] for each in found}


@pytest.fixture(scope="module")
def rollout(stack: Stack, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rollout]:
    """Change one line in a copy of the program, and deploy it; restore the line at the end."""
    copy = stack.copied(tmp_path_factory.mktemp("changed") / "program")
    edited(copy.folder / "app/ejemplo/templates/page.html", {LINE: CHANGED_LINE})
    old_pods, old_sets, old_image = _names(stack, "pods"), _names(stack, "replicasets"), _image(stack)
    old_objects = cloud.cluster(stack)
    plan = copy.plan()
    try:
        with visited(site) as visits:
            change = copy.change("up")

            def gone() -> None:
                assert not _names(stack, "pods") & old_pods

            eventually(gone)
        yield Rollout(
            plan=plan,
            change=change,
            visits=visits,
            page=site.page().body,
            image=_image(stack),
            old_image=old_image,
            pods=_names(stack, "pods"),
            old_pods=old_pods,
            replica_sets=_names(stack, "replicasets"),
            old_replica_sets=old_sets,
            objects=cloud.cluster(stack),
            old_objects=old_objects,
        )
    finally:
        stack.change("up")


def _image(stack: Stack) -> str:
    return str(stack.outputs()["image"])


def test_a_second_up_changes_nothing_and_takes_seconds(stack: Stack, times: Times) -> None:
    seconds = min(stack.pulumi("up", "--yes", "--expect-no-changes").seconds for _ in range(TRIES))
    times.hold("`pulumi up` with nothing to do", seconds, limit=15)


def test_a_preview_takes_seconds(stack: Stack, times: Times) -> None:
    plans = [stack.plan("--expect-no-changes") for _ in range(TRIES)]
    assert [plan.steps for plan in plans] == [[]] * TRIES
    times.hold("`pulumi preview`", min(plan.done.seconds for plan in plans), limit=8)


def test_an_up_after_a_refresh_changes_nothing(stack: Stack) -> None:
    assert stack.change("refresh", "--expect-no-changes").steps == []
    assert stack.change("up", "--expect-no-changes").steps == []


def test_the_command_line_brings_up_again_without_a_change(stack: Stack, times: Times) -> None:
    def everything() -> tuple[object, ...]:
        processes = {name: process_of(stack.layout, service).pid for name, service in services(stack.layout).items()}
        return cloud.aws(), cloud.cluster(stack), cloud.images(stack), processes

    before = everything()
    done = stack.sandbox("up")
    assert everything() == before
    times.hold("`make up` with nothing to do", done.seconds, limit=30)


def test_a_changed_line_plans_an_image_and_a_rolling_update_and_nothing_else(rollout: Rollout) -> None:
    assert rollout.plan.operations == {
        "docker:index/image:Image app-image": "update",
        "kubernetes:apps/v1:Deployment web-deployment": "update",
    }


def test_a_changed_line_does_what_was_planned(rollout: Rollout) -> None:
    assert rollout.change.operations == rollout.plan.operations
    assert CHANGED_LINE in rollout.page


def test_a_changed_line_makes_one_new_image(rollout: Rollout) -> None:
    assert rollout.image != rollout.old_image


def test_a_changed_line_makes_one_new_replica_set_whose_pods_replace_the_old(rollout: Rollout) -> None:
    [new] = rollout.replica_sets - rollout.old_replica_sets
    assert len(rollout.pods) == 2
    assert all(pod.startswith(f"{new}-") for pod in rollout.pods)


def test_a_changed_line_leaves_every_other_object_alone(rollout: Rollout) -> None:
    def others(objects: dict[str, Any]) -> dict[str, Any]:
        return {name: each for name, each in objects.items() if not name.startswith(("Dep", "ReplicaSet"))}

    assert others(rollout.objects) == others(rollout.old_objects)


def test_no_visitor_meets_a_failure_during_the_rolling_update(rollout: Rollout) -> None:
    assert rollout.visits.failures == []


def test_the_visitors_were_there_before_and_after_the_rolling_update(rollout: Rollout) -> None:
    """Without this, the test above would pass with no visitor at all."""
    assert rollout.visits.pods & rollout.old_pods
    assert rollout.visits.pods & rollout.pods
    assert len(rollout.visits.answers) > 100


def test_a_preview_on_an_empty_stack_lists_every_resource_and_touches_nothing(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    deployed = stack.resources()
    empty = stack.copied(tmp_path_factory.mktemp("empty") / "program", name="empty")
    edited(empty.folder / "Pulumi.empty.yaml", {"local.example.test": "empty.example.test"})

    def everything() -> tuple[object, ...]:
        built = sorted(stack.run("docker", "images", "--all", "--quiet", "--no-trunc").out.split())
        return (
            cloud.aws(),
            cloud.cluster(stack),
            cloud.images(stack),
            built,
            stack.pulumi("stack", "export").out,
        )

    empty.pulumi("stack", "init", "--no-select")
    empty.pulumi("config", "set", "--path", "namespace.name", "empty")
    try:
        before = everything()
        plan = empty.plan()
        assert everything() == before
        assert empty.resources() == set()
    finally:
        empty.pulumi("stack", "rm", "--yes")
    assert set(plan.operations.values()) == {"create"}
    names = {re.sub(r"(?<=[-.])empty\b", "local", name) for name in plan.operations}
    assert names - declared(deployed) == {"kubernetes:core/v1:Namespace site-namespace"}
    assert declared(deployed) <= names
