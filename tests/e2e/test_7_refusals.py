"""What cannot work is refused before anything is created, and what does not start says why."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from sandbox.layout import Layout
from tests.e2e import cloud
from tests.e2e.site import Site
from tests.e2e.stack import Change, Stack, edited
from tests.troubles import provoked

PROJECT = "ejemplo-django"


def _inside(section: str, key: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Return a function that sets a key of a section, or a top-level key if `section` is empty; None removes it."""

    def change(config: dict[str, Any]) -> None:
        place = config[f"{PROJECT}:{section}"] if section else config
        name = key if section else f"{PROJECT}:{key}"
        if value is None:
            del place[name]
        else:
            place[name] = value

    return change


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a domain that is none": (_inside("", "domain", "not a domain"), "domain"),
    "a host in another zone": (_inside("", "hosts", ["www.example.com"]), "hosts[0]"),
    "a misspelt key": (_inside("", "namspace", "default"), "namspace"),
    "a misspelt key inside an object": (_inside("registry", "usrname", "me"), "registry.usrname"),
    "a password that is missing": (_inside("registry", "passwordFile", None), "registry.password"),
    "an unknown driver": (_inside("cluster", "driver", "gke"), "cluster.driver"),
    "a kubeconfig that is not there": (
        _inside("cluster", "kubeconfigFile", "no/such/kubeconfig"),
        "cluster.kubeconfigFile",
    ),
    "a key of before": (_inside("app", "replicas", 3), "app.replicas"),
    "a port out of range": (_inside("app", "port", 65536), "app.port"),
    "protect is neither true nor false": (lambda config: config.update({f"{PROJECT}:protect": "perhaps"}), "protect"),
    "a tag that names nothing": (_inside("image", "tag", "latest"), "image.tag"),
}


@pytest.fixture(scope="module")
def refused(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Create an empty stack with its own configuration; remove it at the end."""
    copy = stack.copied(tmp_path_factory.mktemp("refused") / "program", name="refused")
    copy.pulumi("stack", "init", "--no-select")
    yield copy
    copy.pulumi("stack", "rm", "--yes", "--force")


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_configuration_is_refused_by_its_key(refused: Stack, layout: Layout, case: str) -> None:
    change, key = REFUSED[case]
    file = refused.folder / f"Pulumi.{refused.name}.yaml"
    document = yaml.safe_load((layout.checkout / "Pulumi.local.yaml").read_text())
    change(document["config"])
    file.write_text(yaml.safe_dump(document))
    preview = refused.pulumi("preview", check=False)
    up = refused.change("up", check=False)
    for said in (preview.said, up.messages):
        assert f"  - {key}: " in said
        assert "Traceback" not in said
    assert preview.code != 0
    assert up.done.code != 0
    # The stack's own entry needs no cleanup.
    assert {name for name in refused.resources() if not name.startswith("pulumi:pulumi:Stack ")} == set()


def test_a_second_zone_of_a_name_is_refused_before_anything_is_made(refused: Stack, layout: Layout) -> None:
    good = (layout.checkout / "Pulumi.local.yaml").read_text()
    (refused.folder / f"Pulumi.{refused.name}.yaml").write_text(good)
    before = cloud.aws()
    for command in (("preview",), ("up", "--yes")):
        done = refused.pulumi(*command, check=False)
        assert done.code != 0
        assert "zone.existing: found a public hosted zone local.example.test" in done.said
        assert "ejemplo-django/local" in done.said
        assert "Traceback" not in done.said
    assert cloud.aws() == before


def test_the_same_stack_with_the_zone_that_is_there_is_planned(refused: Stack) -> None:
    """Otherwise the refusals above could have another reason."""
    refused.pulumi("config", "set", "--path", "zone.existing", "true")
    for key in ("app.name", "namespace.name"):  # names of the other stack in the cluster are refused too
        refused.pulumi("config", "set", "--path", key, "elsewhere")
    operations = refused.plan().operations
    assert operations.pop("aws:route53/zone:Zone zone-zone") == "read"
    assert set(operations.values()) == {"create"}


WORDS = "e2e: this app does not start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """The `up` of an app that exits when it starts, and what came after."""

    up: Change
    status_meanwhile: int
    pods_meanwhile: int
    mended: Change


@pytest.fixture(scope="module")
def crash(stack: Stack, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Crash:
    """Deploy an app that cannot start, visit the site, and deploy the good one again."""
    copy = stack.copied(tmp_path_factory.mktemp("crash") / "program")
    edited(
        copy.folder / "app/ejemplo/wsgi.py",
        {"application = ": f'raise RuntimeError("{WORDS}")\napplication = '},
    )
    # By default a Deployment counts as failed only after minutes: too long for a test.
    edited(copy.folder / "infra/app/pod.py", {"_PULL = 240": "_PULL = 10"})
    edited(copy.folder / "Pulumi.local.yaml", {"      path: /healthz": "      path: /healthz\n      startSeconds: 10"})
    try:
        up = copy.change("up", check=False)
        status = site.ask().status
        ready = stack.objects("deployment/ejemplo-django")["status"]["readyReplicas"]
    finally:
        mended = stack.change("up")
    return Crash(up=up, status_meanwhile=status, pods_meanwhile=ready, mended=mended)


def test_an_app_that_does_not_start_fails_the_up(crash: Crash) -> None:
    assert crash.up.done.code != 0


def test_the_failure_names_the_pods_reason_and_has_its_last_log_lines(crash: Crash) -> None:
    assert "CrashLoopBackOff" in crash.up.messages or "exit code" in crash.up.messages
    provoked("containers with unready status", crash.up.messages)
    assert WORDS in crash.up.messages


def test_the_site_answers_all_the_same(crash: Crash) -> None:
    assert crash.status_meanwhile == 200
    assert crash.pods_meanwhile == 2


def test_the_next_up_mends_it(crash: Crash, stack: Stack, site: Site) -> None:
    assert crash.mended.operations == {
        "docker:index/image:Image app-image": "update",
        "kubernetes:apps/v1:Deployment web-deployment": "update",
    }
    deployment = stack.objects("deployment/ejemplo-django")
    assert deployment["status"]["updatedReplicas"] == deployment["status"]["readyReplicas"] == 2
    assert site.page().status == 200


def test_a_build_that_fails_says_what_its_step_said(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = stack.copied(tmp_path_factory.mktemp("build") / "program")
    with (copy.folder / "app/Dockerfile").open("a") as dockerfile:
        dockerfile.write("RUN echo e2e says why && exit 7\n")
    before = cloud.images(stack)
    up = copy.change("up", check=False)
    assert up.done.code != 0
    assert "e2e says why" in up.messages
    assert "7" in up.messages
    assert cloud.images(stack) == before
    assert stack.change("up").operations.keys() <= {"docker:index/image:Image app-image"}
