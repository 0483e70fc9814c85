"""The contract with other stacks: they read what is exported, and no known consumer breaks."""

import dataclasses
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pulumi
import pytest
import yaml

import contract
from tests import example, recorder
from tests.example import KUBECONFIG
from tests.fast.plugin_engine import secret
from tests.recorder import ROOT, Graph, Secret

STACK = "organization/ejemplo-django/dev"
SECRET = "kubeconfig-token"
"""A secret in KUBECONFIG, which no message may repeat."""
NAMES = [each.name for each in dataclasses.fields(contract.Outputs)]


def consume(given: dict[str, Any], *names: str, secrets: Sequence[str] = (), preview: bool = False) -> dict[str, Any]:
    """Run a program that reads these outputs of a stack, and return them; secret values are wrapped in Secret."""
    outputs = {key: secret(value) if key in secrets else value for key, value in given.items()}
    state = {"name": STACK, "outputs": outputs, "secretOutputNames": [*secrets]}

    def program() -> None:
        site = contract.read(STACK)
        for name in names:
            pulumi.export(contract.exported_name(name), getattr(site, name))

    with mock.patch.dict(example.READS, {"pulumi:pulumi:StackReference": lambda *_: state}):
        return recorder.record(program, values={}, preview=preview, project="consumer").exports


@pytest.fixture
def given(graph: Graph) -> dict[str, Any]:
    """Return what the program exports, as a stack reference delivers it."""
    return {key: value.value if isinstance(value, Secret) else value for key, value in graph.exports.items()}


def test_the_outputs_are_those_that_consumers_were_promised(graph: Graph) -> None:
    # A change other than a new output needs a new SCHEMA_VERSION: some consumers are unknown to us.
    promised = json.loads((ROOT / "contract" / "outputs.json").read_text())
    assert {key: "[secret]" if isinstance(value, Secret) else value for key, value in graph.exports.items()} == promised


@pytest.mark.parametrize("preview", [False, True])
def test_a_consumer_reads_what_the_program_exports_in_a_preview_too(
    graph: Graph, given: dict[str, Any], preview: bool
) -> None:
    found = consume(given, *NAMES, secrets=["kubeconfig"], preview=preview)
    assert {**found, "schemaVersion": contract.SCHEMA_VERSION} == graph.exports


def test_a_secret_of_the_contract_is_one_even_when_the_stack_did_not_say_so(given: dict[str, Any]) -> None:
    found = consume(given, "kubeconfig")
    assert found["kubeconfig"] == Secret(KUBECONFIG.rstrip("\n"))


def test_an_output_that_is_not_taken_may_be_missing(given: dict[str, Any]) -> None:
    del given["zoneId"]
    assert consume(given, "url")["url"] == given["url"]


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
        consume(changed, taken, secrets=["kubeconfig"])
    message = str(refusal.value)
    assert STACK in message
    assert contract.exported_name(taken) in message or "schemaVersion" in change
    assert SECRET not in message


def test_an_output_that_there_never_was_is_a_mistake_of_the_program(given: dict[str, Any]) -> None:
    with pytest.raises(AttributeError):
        consume(given, "misspelt")


def test_the_contract_can_be_copied_into_another_project_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "contract", tmp_path / "contract")
    program = "import sys, contract; contract.read, contract.Outputs; sys.exit('infra' in sys.modules)"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=environment, check=True)


def test_the_document_has_every_output_and_whether_it_is_secret() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (yes|no) \|", (ROOT / "docs" / "outputs.md").read_text(), re.M)
    expected = {contract.exported_name(name): "yes" if name in contract.SECRET else "no" for name in NAMES}
    assert dict(rows) == {**expected, "schemaVersion": "no"}


def test_uptime_asks_for_the_host_and_path_of_the_url(given: dict[str, Any]) -> None:
    folder = ROOT / "examples" / "uptime"
    values = yaml.safe_load((folder / "Pulumi.local.yaml").read_text())["config"]
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]
    with mock.patch.dict(example.STACKS, {"organization/ejemplo-django/local": given}):
        graph = recorder.record(
            lambda: runpy.run_path(str(folder / "__main__.py")), values=values, preview=True, project=project
        )
    check = graph.one("aws:route53/healthCheck:HealthCheck").inputs
    assert f"https://{check['fqdn']}{check['resourcePath']}" == given["url"]
