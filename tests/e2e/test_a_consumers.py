"""Stacks that use the outputs of this one: the example `uptime`, deployed beside the site and destroyed again."""

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

PARTS = ("constraints.txt", "contract", "examples", "infra", "requirements.txt")
"""The parts of a checkout that an example needs."""

SITE = "organization/ejemplo-django/local"
"""The site's stack, as the examples' stack files for the embedded cloud name it."""


@pytest.fixture(scope="module")
def checkout(layout: Layout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the examples need, so that they leave nothing in the checkout."""
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
    """Deploy the example `uptime`; destroy it at the end."""
    yield from _deployed(stack, checkout / "examples" / "uptime")


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
    """Run `pulumi install` where Python finds the suite's packages already, so that it installs only local ones."""
    packages = packages_of_the_suite(consumer.folder)
    consumer.run("pulumi", "install", "--no-plugins", timeout=600)
    assert list(packages.glob("contract/__init__.py")), "the contract was not installed"
    return consumer


@pytest.fixture
def health_check(uptime: Stack) -> Any:
    """Return the health check as Route 53 has it."""
    return cloud.client("route53").get_health_check(HealthCheckId=uptime.outputs()["healthCheckId"])["HealthCheck"]


@pytest.fixture
def alarm(uptime: Stack) -> Any:
    """Return the alarm as CloudWatch has it."""
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


def test_a_second_up_of_a_consumer_changes_nothing(uptime: Stack) -> None:
    # Only the reference to the site's stack, which is read each time.
    assert set(uptime.plan("--expect-no-changes").operations.values()) == {"read"}


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
    """Deploy a program that has these outputs and does nothing else."""
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
