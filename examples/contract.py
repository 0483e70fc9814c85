"""Lists what a change to the outputs breaks in the known consumers, which are the programs beside this file.

The contract of before is the table of docs/outputs.md; that of now is infra/outputs.py. What a consumer uses is
seen by running its program against the recorder of `ops`, which makes nothing. `python -m examples.contract --help`.
"""

import argparse
import ast
import inspect
import json
import re
import runpy
import subprocess
import sys
import types
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pulumi
import yaml

from infra import outputs
from tests import recorder
from tests.recorder import Declared

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = Path("docs/outputs.md")
MODULE = "ejemplo_django_outputs"
"""The name under which a consumer imports the contract (contract/)."""
SAMPLES: Mapping[str, Any] = {
    "string": "https://sample.example.test/",
    "integer": 1,
    "array of strings": ["sample.example.test"],
}
"""A value of each type, for programs that look into it; a text that is a URL passes for any other."""

_TABLE = re.compile(r"<!-- contract (?P<version>\d+)\b.*?-->\n(?P<rows>.*?)<!-- end of the contract -->", re.S)
_ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?P<kind>[\w ]+?) \| (?P<hidden>yes|no) \| .*\|$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a program of some revision gives out."""

    version: int
    kinds: Mapping[str, str]
    """The type of each output in JSON, by its name in the stack."""
    secrets: frozenset[str]
    """The names of those that are secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a consumer's program did with the contract."""

    used: frozenset[str]
    """The outputs that it took, by their names in the stack."""
    declared: tuple[Declared, ...]


def present() -> Contract:
    """Give the contract of infra/outputs.py."""
    described = outputs.described()
    return Contract(
        version=outputs.SCHEMA_VERSION,
        kinds={each.key: each.kind for each in described},
        secrets=frozenset(each.key for each in described if each.secret),
    )


def documented(text: str) -> Contract:
    """Read the contract of a revision from its docs/outputs.md. Raises ValueError when there is no table."""
    table = _TABLE.search(text)
    if table is None:
        raise ValueError(f"{DOCUMENT} has no table between `<!-- contract ... -->` and its end")
    rows = list(_ROW.finditer(table["rows"]))
    return Contract(
        version=int(table["version"]),
        kinds={row["key"]: row["kind"] for row in rows},
        secrets=frozenset(row["key"] for row in rows if row["hidden"] == "yes"),
    )


def table() -> str:
    """Write the present contract as docs/outputs.md has it; what an output is, is its docstring."""
    meanings = _docstrings()
    rows = [
        f"| `{each.key}` | {each.kind} | {'yes' if each.secret else 'no'} | {meanings[each.attribute]} |"
        for each in outputs.described()
    ]
    begin = f"<!-- contract {outputs.SCHEMA_VERSION}, from infra/outputs.py: `python -m examples.contract --write` -->"
    head = ["| output | type | secret | what it is |", "| --- | --- | --- | --- |"]
    return "\n".join([begin, *head, *rows, "<!-- end of the contract -->"])


def _docstrings() -> dict[str, str]:
    """The text beneath each field of Outputs, on one line."""
    found = {}
    [definition] = (
        node for node in ast.parse(inspect.getsource(outputs.Outputs)).body if isinstance(node, ast.ClassDef)
    )
    for field, text in pairwise(definition.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                found[name] = " ".join(words.split())
    return found


def consumers() -> dict[str, Path]:
    """The folder of each known consumer, by its name: `examples/uptime`."""
    found = sorted(file.parent for file in (ROOT / "examples").glob("*/Pulumi.yaml"))
    return {folder.relative_to(ROOT).as_posix(): folder for folder in found}


def run(folder: Path, *, kinds: Mapping[str, str]) -> Run:
    """Run a consumer's program as a preview of its stack `local`, on samples of outputs of these kinds.

    An output that is in no contract is a text to it, so that one run finds all that it uses. Raises whatever the
    program does.
    """
    used: set[str] = set()
    contract = types.ModuleType(MODULE)
    vars(contract).update(vars(outputs) | {"read": lambda stack, opts=None: _Noted(kinds, used)})
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text())["name"]
    config = yaml.safe_load((folder / "Pulumi.local.yaml").read_text()).get("config", {})

    sys.modules[MODULE] = contract
    try:
        graph = recorder.record(
            lambda: runpy.run_path(str(folder / "__main__.py")),
            values={key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()},
            preview=True,
            project=project,
        )
    finally:
        del sys.modules[MODULE]
    return Run(used=frozenset(used), declared=tuple(graph.resources))


class _Noted:
    """Stands for Outputs, and notes what a program takes of it."""

    def __init__(self, kinds: Mapping[str, str], used: set[str]) -> None:
        self._kinds, self._used = kinds, used

    def __getattr__(self, attribute: str) -> Any:
        key = outputs.exported_name(attribute)
        self._used.add(key)
        sample = pulumi.Output.from_input(SAMPLES[self._kinds.get(key, "string")])
        return pulumi.Output.secret(sample) if key in present().secrets else sample


def differences(before: Contract, after: Contract) -> dict[str, str]:
    """What is no longer as a consumer of before takes it for granted, by the output's name."""
    found = {}
    for key, kind in before.kinds.items():
        if key not in after.kinds:
            found[key] = "is no longer an output"
        elif after.kinds[key] != kind:
            found[key] = f"was {_a(kind)} and is {_a(after.kinds[key])}"
        elif (key in before.secrets) is not (key in after.secrets):
            found[key] = "is no longer secret" if key in before.secrets else "is secret now"
    return found


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'ai' else 'a'} {kind}"


def problems(before: Contract, after: Contract, uses: Mapping[str, frozenset[str]]) -> list[str]:
    """Say what breaks between two contracts, and in which consumers, given what each of them uses."""
    broken = differences(before, after)
    said = []
    for key, change in broken.items():
        users = sorted(consumer for consumer, used in uses.items() if key in used)
        said += [f"{consumer} breaks: it uses {key}, which {change}." for consumer in users]
    for consumer, used in uses.items():
        unknown = sorted(used - before.kinds.keys() - after.kinds.keys())
        said += [f"{consumer} breaks: it uses {key}, which is no output." for key in unknown]
    if broken and after.version <= before.version:
        listed = "; ".join(f"{key} {change}" for key, change in broken.items())
        said.append(
            f"SCHEMA_VERSION is still {after.version}, but {listed}. Raise it: then a consumer that nobody here knows "
            "is refused by message, instead of going wrong."
        )
    return said


def main() -> int:
    """Say what is wrong, and give the exit code: 0 when the contract breaks nobody and is documented."""
    parser = argparse.ArgumentParser(prog="python -m examples.contract", description=__doc__)
    parser.add_argument("--against", metavar="REVISION", help="the git revision with the contract of before")
    parser.add_argument("--write", action="store_true", help=f"bring the table of {DOCUMENT} up to date")
    arguments = parser.parse_args()

    text = (ROOT / DOCUMENT).read_text()
    try:
        before = documented(_shown(arguments.against) if arguments.against else text)
    except subprocess.CalledProcessError:
        parser.error(f"{arguments.against} is no revision with a {DOCUMENT}")
    after = present()
    uses = {name: run(folder, kinds={**before.kinds, **after.kinds}).used for name, folder in consumers().items()}
    said = problems(before, after, uses)
    written = _TABLE.sub(lambda _: table(), text)
    if written != text and not said:
        if arguments.write:
            (ROOT / DOCUMENT).write_text(written)
        else:
            said.append(f"{DOCUMENT} has another table: with --write, this command writes that of infra/outputs.py.")
    lines = [f"{name} uses {', '.join(sorted(used))}." for name, used in uses.items()]
    lines += said or [f"Version {after.version} of the contract breaks none of them."]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if said else 0


def _shown(revision: str) -> str:
    # Arguments of a developer's own command line, and git from that developer's own PATH.
    command = ["git", "show", f"{revision}:{DOCUMENT}"]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
