"""The contract with other stacks: what is exported is what is read, and no known consumer breaks."""

import asyncio
import contextvars
import dataclasses
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, proto
from pulumi.runtime.stack import run_pulumi_func

import contract
from tests import example, recorder
from tests.fast.graph import KUBECONFIG, ROOT, Graph, Secret
from tests.fast.plugin_engine import packed, secret
from tests.recorder import Declared, NoMocks

STACK = "organization/ejemplo-django/dev"
SECRET = "kubeconfig-token"
"""What a message must not repeat: it is in KUBECONFIG."""
NAMES = [each.name for each in dataclasses.fields(contract.Outputs)]


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


def consume(stack: Stacks, *names: str, preview: bool = False) -> dict[str, Any]:
    """Run a program that takes these outputs of the stack: what it found, with a Secret around whatever is one."""
    found: dict[str, Any] = {}

    async def main() -> None:
        pulumi.runtime.set_mocks(NoMocks(), project="consumer", preview=preview, monitor=stack)
        taken: dict[str, pulumi.Output[Any]] = {}

        def program() -> None:
            site = contract.read(STACK)
            taken.update({name: getattr(site, name) for name in names})

        await run_pulumi_func(program)
        for name, output in taken.items():
            assert await output.is_known()
            value = await output.future()
            found[contract.exported_name(name)] = Secret(value) if await output.is_secret() else value

    contextvars.copy_context().run(asyncio.run, main())
    return found


@pytest.fixture
def given(graph: Graph) -> dict[str, Any]:
    """What the program exports, as a stack reference hands it over."""
    return {key: value.value if isinstance(value, Secret) else value for key, value in graph.exports.items()}


def test_the_outputs_are_those_that_consumers_were_promised(graph: Graph) -> None:
    # Where more in the file changes than new outputs, SCHEMA_VERSION has to: consumers that nobody here knows read it.
    promised = json.loads((ROOT / "contract" / "outputs.json").read_text())
    assert {key: "[secret]" if isinstance(value, Secret) else value for key, value in graph.exports.items()} == promised


@pytest.mark.parametrize("preview", [False, True])
def test_a_consumer_reads_what_the_program_exports_in_a_preview_too(
    graph: Graph, given: dict[str, Any], preview: bool
) -> None:
    found = consume(Stacks(given, secrets=["kubeconfig"]), *NAMES, preview=preview)
    assert {**found, "schemaVersion": contract.SCHEMA_VERSION} == graph.exports


def test_a_secret_of_the_contract_is_one_even_when_the_stack_did_not_say_so(given: dict[str, Any]) -> None:
    found = consume(Stacks(given, secrets=[]), "kubeconfig")
    assert found["kubeconfig"] == Secret(KUBECONFIG.rstrip("\n"))


def test_an_output_that_is_not_taken_may_be_missing(given: dict[str, Any]) -> None:
    del given["zoneId"]
    assert consume(Stacks(given, secrets=[]), "url")["url"] == given["url"]


@pytest.mark.parametrize(
    ("taken", "change"),
    [
        ("url", {"schemaVersion": None}),
        ("url", {"schemaVersion": 2}),
        ("zone_id", {"zoneId": None}),
        ("name_servers", {"nameServers": "ns-1.test"}),
        ("name_servers", {"nameServers": [1]}),
        ("url", {"url": ["a"]}),
        ("kubeconfig", {"kubeconfig": {"token": SECRET}}),
    ],
)
def test_what_is_not_of_the_contract_is_refused_by_the_stacks_name(
    given: dict[str, Any], taken: str, change: dict[str, Any]
) -> None:
    changed = {key: value for key, value in {**given, **change}.items() if value is not None}
    with pytest.raises(contract.ContractError) as refusal:
        consume(Stacks(changed, secrets=["kubeconfig"]), taken)
    message = str(refusal.value)
    assert STACK in message
    assert contract.exported_name(taken) in message or "schemaVersion" in change
    assert SECRET not in message


def test_an_output_that_there_never_was_is_a_mistake_of_the_program(given: dict[str, Any]) -> None:
    with pytest.raises(AttributeError):
        consume(Stacks(given, secrets=[]), "misspelt")


def test_the_contract_can_be_copied_into_another_project_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "contract", tmp_path / "contract")
    program = "import sys, contract; contract.read, contract.Outputs; sys.exit('infra' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


def test_the_document_has_every_output_and_whether_it_is_secret() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (yes|no) \|", (ROOT / "docs" / "outputs.md").read_text(), re.M)
    expected = {contract.exported_name(name): "yes" if name in contract.SECRET else "no" for name in NAMES}
    assert dict(rows) == {**expected, "schemaVersion": "no"}


@pytest.fixture
def consumer(given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Declared]]:
    """What an example declares beside a stack that gives out what the program does."""
    monkeypatch.setitem(example.STACKS, "organization/ejemplo-django/local", given)

    def declared(name: str) -> list[Declared]:
        folder = ROOT / "examples" / name
        config = yaml.safe_load((folder / "Pulumi.local.yaml").read_text())["config"]
        values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
        project = yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]
        program = str(folder / "__main__.py")
        return recorder.record(lambda: runpy.run_path(program), values=values, preview=True, project=project).resources

    return declared


def test_the_second_app_has_no_name_in_the_cluster_that_the_site_has(
    graph: Graph, consumer: Callable[[str], list[Declared]]
) -> None:
    def names(resources: list[Declared]) -> set[tuple[str, str]]:
        objects = [each for each in resources if each.type.startswith("kubernetes:")]
        named = [(each.type, each.inputs.get("metadata", {}).get("name")) for each in objects]
        return {(type_, name) for type_, name in named if name}

    second = names(consumer("second-app"))
    assert {type_ for type_, _ in second} >= {"kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"}
    assert second & names(graph.resources) == set()


def test_uptime_asks_for_the_host_and_path_of_the_url(
    given: dict[str, Any], consumer: Callable[[str], list[Declared]]
) -> None:
    [check] = [each for each in consumer("uptime") if each.type == "aws:route53/healthCheck:HealthCheck"]
    assert f"https://{check.inputs['fqdn']}{check.inputs['resourcePath']}" == given["url"]
