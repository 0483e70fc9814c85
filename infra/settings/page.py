"""Writes docs/configuration.md and Pulumi.schema.json from the models: `python -m infra.settings.page`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from infra.settings import schema
from infra.settings.schema import Node
from infra.settings.stack import Settings

ROOT = Path(__file__).parents[2]
"""The project's folder."""
PAGE, SCHEMA = "docs/configuration.md", "Pulumi.schema.json"
"""The files, relative to it."""

_HEAD = """\
# Configuration

<!-- Written by `python -m infra.settings.page` from the models in infra/settings/ and infra/cluster/. -->

All keys of `Pulumi.<stack>.yaml`. Set a key of a section with `--path`, and a secret with `--secret`:
`pulumi config set --secret --path registry.password`. A string of digits needs `--type string`. Every value is checked
before anything is created, and all problems are reported at once.

Editors complete the keys from `Pulumi.schema.json`, which the first line of each stack's file names.
"""
_SECURE: Node = {
    "type": "object",
    "description": "As `pulumi config set --secret --path` writes it.",
    "properties": {"secure": {"type": "string"}},
    "required": ["secure"],
    "additionalProperties": False,
}
_TYPES = {"string": "a string", "boolean": "true or false", "integer": "a whole number", "array": "a list"}


def page() -> str:
    """Return the reference page: a table for each section, and for each driver of a section."""
    described = schema.of(Settings)
    sections = {key: node for key, node in described["properties"].items() if _is_section(node)}
    top = {key: node for key, node in described["properties"].items() if key not in sections}
    parts = [_HEAD, "## At the top\n", _table(described | {"properties": top})]
    for key, node in sections.items():
        parts += [f"## {key}\n", f"{node['description']}\n"]
        if "oneOf" not in node:
            parts.append(_table(node))
        for driver, form in schema.variants(node).items():
            parts += [f"### {key}, driver {driver}\n", f"{form['description']}\n", _table(form)]
    return "\n".join(parts)


def editors_schema() -> str:
    """Return the JSON Schema of a stack's file."""
    prefix = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
    described = schema.of(Settings)
    for section, key, *any_entry in schema.secrets(described):
        node = described["properties"][section]
        for form in schema.variants(node).values() or [node]:
            if not (found := form["properties"].get(key)):
                continue
            if any_entry:
                found["additionalProperties"] = _SECURE
            else:
                form["properties"][key] = _SECURE | {"description": found["description"]}
    keys = {f"{prefix}:{key}": node for key, node in described["properties"].items()}
    # `pulumi config set` writes it as a string.
    keys[f"{prefix}:protect"] |= {"type": ["boolean", "string"], "enum": [True, False, "true", "false"]}
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A stack of this project",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": keys,
                "required": [f"{prefix}:{key}" for key in described["required"]],
                # The project's own keys are all above; the engine and other providers have theirs.
                "patternProperties": {f"^{prefix}:(?!({'|'.join(described['properties'])})$)": False},
            }
        },
    }
    return json.dumps(whole, indent=2) + "\n"


def _is_section(node: Node) -> bool:
    return node.get("type") == "object" or "oneOf" in node


def _table(node: Node) -> str:
    rows = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    rows += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in _rows(node)]
    return "\n".join(rows) + "\n"


def _rows(node: Node, prefix: str = "") -> Iterator[tuple[str, str, str, str]]:
    for key, value in node["properties"].items():
        name = f"{prefix}{key}"
        meaning = value.get("description", "")
        is_required = key in node.get("required", [])
        yield f"`{name}`", _type(value), "required" if is_required else _default(value), meaning
        for part, step in (("items", "[]."), ("additionalProperties", ".<name>.")):
            entries = value.get(part)
            if isinstance(entries, dict) and "properties" in entries:
                yield from _rows(entries, f"{name}{step}")
        if "properties" in value:
            yield from _rows(value, f"{name}.")


def _type(node: Node) -> str:
    if node.get("writeOnly"):
        return "a secret string"
    if words := node.get("enum") or ([node["const"]] if "const" in node else None):
        return ", ".join(f"`{each}`" for each in words)
    if words := node.get("errorMessage"):
        return str(words)
    if inner := node.get("items"):
        return f"a list, each {_type(inner)}"
    if isinstance(inner := node.get("additionalProperties"), dict):
        return f"an object, each {_type(inner)}"
    return _TYPES.get(node.get("type", ""), "an object")


def _default(node: Node) -> str:
    value: Any = node.get("default")
    return "" if value in (None, "", [], {}) else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("|", r"\|").replace("<", r"\<").split())


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
    (ROOT / SCHEMA).write_text(editors_schema(), encoding="utf-8")
