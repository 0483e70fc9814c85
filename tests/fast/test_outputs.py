"""The contract with other stacks: what is exported is what is read, and no known consumer breaks."""

import asyncio
import contextvars
import dataclasses
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks, proto
from pulumi.runtime.stack import run_pulumi_func

from examples import contract
from infra import outputs
from tests.fast.graph import KUBECONFIG, ROOT, Graph, Secret
from tests.fast.plugin_engine import packed, secret
from tests.recorder import NoMocks

STACK = "organization/ejemplo-django/dev"
SECRET = "kubeconfig-token"
"""What a message must not repeat: it is in KUBECONFIG."""


class Stacks(mocks.MockMonitor):
    """Knows one other stack, and answers for it as the engine does."""

    def __init__(self, given: dict[str, Any], *, secrets: list[str]) -> None:
        super().__init__(NoMocks())
        signed = {key: secret(given[key]) if key in secrets else given[key] for key in given}
        self.state = {"name": STACK, "outputs": signed, "secretOutputNames": secrets}

    def ReadResource(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        assert (request.type, request.id) == ("pulumi:pulumi:StackReference", STACK)
        urn = self.make_urn("", request.type, request.name)
        return proto.resource_pb2.ReadResourceResponse(urn=urn, properties=packed(self.state))


def consume(stack: Stacks, *, preview: bool = False, shown: list[str] | None = None) -> dict[str, Any]:
    """Run a program that reads the stack: what it found, with a Secret around whatever is one."""
    found: dict[str, Any] = {}

    async def main() -> None:
        pulumi.runtime.set_mocks(NoMocks(), project="consumer", preview=preview, monitor=stack)
        read: list[outputs.Outputs] = []
        await run_pulumi_func(lambda: read.append(outputs.read(STACK)))
        for field in dataclasses.fields(outputs.Outputs):
            output = pulumi.Output.from_input(getattr(read[0], field.name))
            assert await output.is_known()
            value = await output.future()
            found[field.name] = Secret(value) if await output.is_secret() else value
        if shown is not None:
            shown.append(repr(read[0]))

    contextvars.copy_context().run(asyncio.run, main())
    return found


@pytest.fixture
def given(graph: Graph) -> dict[str, Any]:
    """What the program exports, as a stack reference hands it over."""
    return {key: value.value if isinstance(value, Secret) else value for key, value in graph.exports.items()}


@pytest.mark.parametrize("preview", [False, True])
def test_a_consumer_reads_what_the_program_exports_in_a_preview_too(
    graph: Graph, given: dict[str, Any], preview: bool
) -> None:
    found = consume(Stacks(given, secrets=["kubeconfig"]), preview=preview)
    assert {outputs.exported_name(name): value for name, value in found.items()} == graph.exports


def test_only_the_secret_outputs_are_secret_to_a_consumer(given: dict[str, Any]) -> None:
    found = consume(Stacks(given, secrets=["kubeconfig"]))
    assert [name for name, value in found.items() if isinstance(value, Secret)] == ["kubeconfig"]


def test_a_secret_of_the_contract_is_one_even_when_the_stack_did_not_say_so(given: dict[str, Any]) -> None:
    found = consume(Stacks(given, secrets=[]))
    assert found["kubeconfig"] == Secret(KUBECONFIG.rstrip("\n"))


def test_a_secret_is_not_to_be_seen_where_the_outputs_are_shown(given: dict[str, Any]) -> None:
    shown: list[str] = []
    consume(Stacks(given, secrets=["kubeconfig"]), shown=shown)
    assert "kubeconfig" not in shown[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schemaVersion": None}, ["no output schemaVersion", "bring it up"]),
        ({"schemaVersion": 2}, ["version 2 of", "newer than version 1", "Install the ejemplo-django-outputs"]),
        ({"schemaVersion": 0}, ["version 0 of", "older than version 1", "Bring the stack up"]),
        ({"zoneId": None}, ["no output zoneId", "Bring it up again"]),
        ({"kubeconfig": None}, ["no output kubeconfig"]),
        ({"nameServers": "ns-1.test"}, ["nameServers", "came as str", "array of strings"]),
        ({"url": ["a"]}, ["url", "came as list", "string"]),
        ({"kubeconfig": {"token": SECRET}}, ["kubeconfig", "came as dict"]),
    ],
)
def test_a_stack_that_is_not_of_the_contract_is_refused_by_its_name_and_with_what_to_do(
    given: dict[str, Any], change: dict[str, Any], said: list[str]
) -> None:
    changed = {key: value for key, value in {**given, **change}.items() if value is not None}
    with pytest.raises(outputs.ContractError) as refusal:
        consume(Stacks(changed, secrets=["kubeconfig"]))
    message = str(refusal.value)
    assert all(each in message for each in [STACK, *said]), message
    assert SECRET not in message


def test_the_contract_is_installed_alone_under_its_own_name(tmp_path: Path) -> None:
    program = "import sys, ejemplo_django_outputs as it; it.read, it.Outputs; print({*sys.modules} & {'infra', 'yaml'})"
    # As an installed distribution would be found, from a directory where nothing of this repository is.
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "contract")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "infra" not in done.stdout


def test_the_document_has_the_table_of_the_contract() -> None:
    text = (ROOT / contract.DOCUMENT).read_text()
    assert contract.table() in text, "`python -m examples.contract --write` brings it up to date"
    assert contract.documented(text) == contract.present()


@pytest.fixture(scope="module")
def uses() -> dict[str, frozenset[str]]:
    """What each known consumer uses."""
    kinds = contract.present().kinds
    return {name: contract.run(folder, kinds=kinds).used for name, folder in contract.consumers().items()}


def test_every_known_consumer_takes_something_and_only_what_there_is(uses: dict[str, frozenset[str]]) -> None:
    assert set(uses) == {"examples/uptime", "examples/second-app"}
    assert all(uses.values())
    assert contract.problems(contract.present(), contract.present(), uses) == []


def changed(
    *,
    without: str = "",
    kinds: dict[str, str] | None = None,
    secrets: set[str] | None = None,
    version: int = 1,
) -> contract.Contract:
    """The present contract, but for this."""
    now = contract.present()
    left = {key: kind for key, kind in now.kinds.items() if key != without} | (kinds or {})
    return contract.Contract(
        version=version, kinds=left, secrets=now.secrets if secrets is None else frozenset(secrets)
    )


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (
            changed(without="url", version=2),
            ["examples/uptime breaks: it uses url, which is no longer an output."],
        ),
        (
            changed(kinds={"zoneId": "array of strings"}, version=2),
            ["examples/second-app breaks: it uses zoneId, which was a string and is an array of strings."],
        ),
        (
            changed(secrets=set(), version=2),
            ["examples/second-app breaks: it uses kubeconfig, which is no longer secret."],
        ),
    ],
)
def test_a_change_is_refused_by_the_name_of_the_consumer_that_it_breaks_and_of_the_output(
    uses: dict[str, frozenset[str]], after: contract.Contract, said: list[str]
) -> None:
    assert contract.problems(contract.present(), after, uses) == said


def test_a_change_that_breaks_nobody_known_wants_another_version(uses: dict[str, frozenset[str]]) -> None:
    [said] = contract.problems(contract.present(), changed(without="stateStore"), uses)
    assert said.startswith("SCHEMA_VERSION is still 1, but stateStore is no longer an output.")
    assert contract.problems(contract.present(), changed(without="stateStore", version=2), uses) == []
    assert contract.problems(contract.present(), changed(kinds={"more": "string"}), uses) == []


def test_a_consumer_that_takes_what_there_never_was_is_named_with_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: consumer\nruntime: python\n")
    (tmp_path / "Pulumi.local.yaml").write_text("config: {}\n")
    (tmp_path / "__main__.py").write_text(
        "from ejemplo_django_outputs import read\n"
        "site = read('stack')\n"
        "site.url, site.first_misspelt, site.second_one\n"
    )
    now = contract.present()
    ran = contract.run(tmp_path, kinds=now.kinds)
    assert ran.used == {"url", "firstMisspelt", "secondOne"}
    assert contract.problems(now, now, {"consumer": ran.used}) == [
        "consumer breaks: it uses firstMisspelt, which is no output.",
        "consumer breaks: it uses secondOne, which is no output.",
    ]


def test_the_second_app_has_no_name_in_the_cluster_that_the_site_has(graph: Graph) -> None:
    run = contract.run(ROOT / "examples" / "second-app", kinds=contract.present().kinds)
    second = {
        (each.type, each.inputs["metadata"]["name"])
        for each in run.declared
        if each.type.startswith("kubernetes:") and "name" in each.inputs.get("metadata", {})
    }
    first = {
        (each.type, each.inputs["metadata"]["name"])
        for each in graph.resources
        if each.type.startswith("kubernetes:") and "name" in each.inputs.get("metadata", {})
    }
    assert {type_ for type_, _ in second} >= {"kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"}
    assert second & first == set()


def test_uptime_asks_for_the_host_and_path_of_the_url_and_tells_its_topic() -> None:
    run = contract.run(ROOT / "examples" / "uptime", kinds=contract.present().kinds)
    [check] = [each for each in run.declared if each.type == "aws:route53/healthCheck:HealthCheck"]
    assert (check.inputs["fqdn"], check.inputs["resourcePath"]) == ("sample.example.test", "/")
    [alarm] = [each for each in run.declared if each.type == "aws:cloudwatch/metricAlarm:MetricAlarm"]
    assert alarm.inputs["metricName"] == "HealthCheckStatus"
