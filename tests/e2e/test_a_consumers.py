"""Other stacks, built on the outputs of this one: the examples, brought up beside the site and taken down again."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandbox.layout import Layout
from tests.e2e import cloud
from tests.e2e.site import Site
from tests.e2e.stack import Done, Stack, edited, packages_of_the_suite
from tests.e2e.waiting import eventually

pytestmark = pytest.mark.timeout(300, func_only=True)

PARTS = ("constraints.txt", "contract", "examples", "infra", "requirements.txt")
"""What an example needs of a checkout."""

SITE = "organization/ejemplo-django/local"
"""The site's stack, as the examples' files for the embedded cloud name it."""

SECOND_HOST = "second.local.example.test"
"""The one that is in the second app's file."""


@pytest.fixture(scope="module")
def checkout(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what the examples need, so that nothing of them stays in the checkout."""
    to = tmp_path_factory.mktemp("consumers") / "checkout"
    to.mkdir()
    for part in PARTS:
        source = layout.checkout / part
        if source.is_dir():
            shutil.copytree(source, to / part, symlinks=True, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
        else:
            shutil.copy2(source, to / part)
    return to


@pytest.fixture(scope="module")
def uptime(stack: Stack, checkout: Path) -> Iterator[Stack]:
    """The example `uptime`, deployed."""
    yield from _deployed(stack, checkout / "examples" / "uptime")


@pytest.fixture(scope="module")
def second_app(stack: Stack, checkout: Path) -> Iterator[Stack]:
    """The example `second-app`, deployed; before it and after it the cloud is the same."""
    before = cloud.aws(), cloud.cluster(stack)
    yield from _deployed(stack, checkout / "examples" / "second-app")

    def as_before() -> None:
        assert (cloud.aws(), cloud.cluster(stack)) == before

    eventually(as_before, within=30)


def _deployed(stack: Stack, folder: Path) -> Iterator[Stack]:
    consumer = _installed(replace(stack, folder=folder))
    consumer.run("pulumi", "stack", "select", "--create", consumer.name)
    try:
        consumer.change("up")
        yield consumer
    finally:
        consumer.change("destroy")
        consumer.pulumi("stack", "rm", "--yes", "--preserve-config")


def _installed(consumer: Stack) -> Stack:
    """Run `pulumi install` where the suite's own packages are found already: what is installed is the local ones."""
    packages = packages_of_the_suite(consumer.folder)
    consumer.run("pulumi", "install", "--no-plugins", timeout=600)
    assert list(packages.glob("contract/__init__.py")), "the contract was not installed"
    return consumer


@pytest.fixture
def health_check(uptime: Stack) -> Any:
    """The health check, as Route 53 has it."""
    return cloud.client("route53").get_health_check(HealthCheckId=uptime.outputs()["healthCheckId"])["HealthCheck"]


@pytest.fixture
def alarm(uptime: Stack) -> Any:
    """The alarm, as CloudWatch has it."""
    [found] = cloud.client("cloudwatch").describe_alarms(AlarmNames=[uptime.outputs()["alarmName"]])["MetricAlarms"]
    return found


def test_the_health_check_asks_for_the_sites_url(health_check: Any, outputs: dict[str, Any]) -> None:
    asked = health_check["HealthCheckConfig"]
    assert asked["Type"] == "HTTPS"
    url = f"https://{asked['FullyQualifiedDomainName']}{asked['ResourcePath']}"
    assert (url, asked["Port"]) == (outputs["url"], 443)


def test_what_the_health_check_asks_for_answers(health_check: Any, layout: Layout) -> None:
    asked = health_check["HealthCheckConfig"]
    checked = Site(host=asked["FullyQualifiedDomainName"], ca=layout.ca)
    assert checked.ask(asked["ResourcePath"]).status == 200


def test_the_alarm_watches_the_check_and_tells_the_topic(alarm: Any, health_check: Any, uptime: Stack) -> None:
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Route53", "HealthCheckStatus")
    assert alarm["Dimensions"] == [{"Name": "HealthCheckId", "Value": health_check["Id"]}]
    topics = [topic["TopicArn"] for topic in cloud.client("sns").list_topics()["Topics"]]
    assert alarm["AlarmActions"] == alarm["OKActions"] == [uptime.outputs()["topicArn"]] == topics


def test_a_second_up_of_a_consumer_changes_nothing(uptime: Stack, second_app: Stack) -> None:
    for consumer in (uptime, second_app):
        # The reference to the site's stack, which is read each time, and nothing else.
        assert set(consumer.plan("--expect-no-changes").operations.values()) == {"read"}


def test_the_second_app_answers_over_verified_https_under_its_own_name(second_app: Stack, layout: Layout) -> None:
    assert second_app.outputs()["url"] == f"https://{SECOND_HOST}/"
    second = Site(host=SECOND_HOST, ca=layout.ca)
    # A new balancer is in service within seconds.
    answer = eventually(second.page, within=30)
    assert answer.pod.startswith("second-app-")


def test_the_site_still_answers_from_its_own_pods(second_app: Stack, site: Site) -> None:
    assert site.page().pod.startswith("ejemplo-django-")


def test_the_second_app_runs_the_image_of_the_site_with_the_registrys_login_of_the_site(
    second_app: Stack, outputs: dict[str, Any]
) -> None:
    spec = second_app.objects("deployment/second-app")["spec"]["template"]["spec"]
    assert [each["image"] for each in spec["containers"]] == [outputs["image"]]
    assert spec["imagePullSecrets"] == [{"name": outputs["pullSecret"]}]


def test_the_second_app_has_a_balancer_of_its_own(second_app: Stack, outputs: dict[str, Any]) -> None:
    balancers = {each["DNSName"] for each in cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"]}
    assert balancers == {outputs["hostname"], second_app.outputs()["hostname"]}


def test_the_kubeconfig_stays_a_secret_in_the_consumers_state(second_app: Stack, layout: Layout) -> None:
    lines = layout.kubeconfig.read_text().splitlines()
    [key] = [line.split(":")[1].strip() for line in lines if "client-key-data" in line]
    states = [file for file in (layout.root / "stacks").rglob("*.json*") if "second-app" in str(file)]
    assert states
    assert [str(file) for file in states if key in file.read_text()] == []
    assert key not in second_app.pulumi("stack", "export").out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schemaVersion": None}, "gives out no contract"),
        ({"schemaVersion": 2}, "gives out version 2 of its contract"),
        ({"url": None}, "gives out no url"),
    ],
)
def test_a_stack_of_another_contract_is_refused_before_anything_changes(
    uptime: Stack, outputs: dict[str, Any], tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    given = {key: value for key, value in {**outputs, **change}.items() if value is not None}
    other = _giving_out(given, uptime, tmp_path / "other")
    file = uptime.folder / "Pulumi.local.yaml"
    try:
        edited(file, {SITE: "organization/another-program/local"})
        refused = uptime.pulumi("preview", check=False)
    finally:
        edited(file, {"organization/another-program/local": SITE})
        other.pulumi("stack", "rm", "--yes", "--force")
    assert refused.code != 0
    assert f"The stack organization/another-program/local {said}" in _unbroken(refused)
    assert "Traceback" not in refused.said


def _giving_out(outputs: dict[str, Any], like: Stack, folder: Path) -> Stack:
    """Bring up a program that gives out these values and does nothing else."""
    folder.mkdir()
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": str(like.folder / ".venv")}}
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": "another-program", "runtime": runtime}))
    (folder / "__main__.py").write_text(
        f"import pulumi\n\nfor name, value in {outputs!r}.items():\n    pulumi.export(name, value)\n"
    )
    other = replace(like, folder=folder)
    other.run("pulumi", "stack", "init", other.name)
    other.change("up")
    return other


def _unbroken(done: Done) -> str:
    return " ".join(done.said.split())
