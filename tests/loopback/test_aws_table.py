"""Compares the AWS plugin's table with Pulumi's SDK: names, shapes and required inputs of every mapped type.

The SDK is generated from the official plugin, so a name that Terraform spells differently shows here.
"""

import ast
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pulumi_aws
import pytest

from tests.tools import tools

SDK = Path(pulumi_aws.__file__).parent

DIFFERENT = {
    # Added by Pulumi's patches to the provider. Unused: the program has EKS create no default add-ons.
    "aws:eks/cluster:Cluster defaultAddonsToRemoves: only in the SDK",
    # Part of an object lock, which the program does not use; required only by Terraform.
    "aws:s3/bucket:Bucket objectLockConfiguration.rule.defaultRetention.mode: required in the plugin",
}
"""The differences that are allowed, each with the reason why it is harmless."""

PLAIN = {"str": "string", "bool": "boolean", "int": "integer", "float": "number"}


@pytest.fixture(scope="module")
def schema() -> Any:
    """Return the plugin's schema."""
    said = subprocess.run([tools()["pulumi-resource-aws"], "-schema"], check=True, capture_output=True)
    return json.loads(said.stdout)


def test_every_mapped_type_has_the_sdks_inputs_and_outputs(schema: Any) -> None:
    found = set[str]()
    for token, resource in schema["resources"].items():
        module, kind = re.fullmatch(r"aws:(\w+)/\w+:(\w+)", token).groups()  # type: ignore[union-attr]  # all are
        classes = _classes(SDK / module / f"{_snake(kind)}.py")
        arguments = classes.get(f"{kind}Args") or classes[f"{kind}InitArgs"]
        inputs, required = resource["inputProperties"], resource.get("requiredInputs", ())
        for what in _differences(schema, inputs, required, _arguments(arguments), module, "_inputs.py"):
            found.add(f"{token} {what}")
        for what in _differences(schema, resource["properties"], None, _outputs(classes[kind]), module, "outputs.py"):
            found.add(f"{token} {what}")
    assert found == DIFFERENT
    assert len(schema["resources"]) > 30


def _differences(
    schema: Any,
    plugin: Mapping[str, Any],
    required: list[str] | None,
    sdk: Mapping[str, tuple[str, bool]],
    module: str,
    nested: str,
) -> Iterator[str]:
    """Compare properties recursively by name; whether they are required, for inputs only."""
    for name in sorted({*plugin, *sdk} - {"urn", "id"}):
        if name not in sdk or name not in plugin:
            yield f"{name}: only in the {'SDK' if name in sdk else 'plugin'}"
            continue
        annotation, needed = sdk[name]
        ours, theirs = _shape(plugin[name]), _annotated(annotation)
        if ours[:-1] != theirs[:-1] or ours[-1].startswith("#") != theirs[-1].startswith("#"):
            yield f"{name}: {ours} in the plugin, {theirs} in the SDK"
        elif ours[-1].startswith("#"):
            inner = schema["types"][ours[-1].removeprefix("#/types/")]
            described = _classes(SDK / module / nested)[theirs[-1].removeprefix("#")]
            given = _arguments(described) if nested == "_inputs.py" else _outputs(described)
            needs = None if required is None else inner.get("required", [])
            yield from (
                f"{name}.{each}" for each in _differences(schema, inner["properties"], needs, given, module, nested)
            )
        elif ours[-1] != theirs[-1]:
            yield f"{name}: {ours[-1]} in the plugin, {theirs[-1]} in the SDK"
        if required is not None and (name in required) != needed:
            yield f"{name}: required in the {'SDK' if needed else 'plugin'}"


def _shape(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types of a property from the outside in; an object as its reference."""
    if "$ref" in described:
        return (described["$ref"],)
    if described["type"] == "array":
        return ("list", *_shape(described["items"]))
    if described["type"] == "object":
        return ("map", *_shape(described.get("additionalProperties", {"type": "string"})))
    return (described["type"],)


def _annotated(text: str) -> tuple[str, ...]:
    """Return the same from an annotation in the SDK."""
    text = re.sub(r"_builtins\.", "", text)
    while wrapped := re.fullmatch(r"(?:Optional|pulumi\.Input|pulumi\.Output)\[(.*)\]", text):
        text = wrapped[1]
    if inner := re.fullmatch(r"Sequence\[(.*)\]", text):
        return ("list", *_annotated(inner[1]))
    if inner := re.fullmatch(r"Mapping\[str, (.*)\]", text):
        return ("map", *_annotated(inner[1]))
    text = text.strip("'\"")
    if text.startswith("Union["):
        return ("string",)  # an enumeration or a plain string
    return (PLAIN[text],) if text in PLAIN else (f"#{text.rpartition('.')[2]}",)


@cache
def _classes(file: Path) -> dict[str, ast.ClassDef]:
    return {each.name: each for each in ast.parse(file.read_text()).body if isinstance(each, ast.ClassDef)}


def _getters(described: ast.ClassDef) -> dict[str, tuple[str, str]]:
    """Return each property's wire name and annotation, by its Python name."""
    found = {}
    for each in described.body:
        if isinstance(each, ast.FunctionDef) and each.returns is not None:
            for mark in each.decorator_list:
                if ast.unparse(mark).startswith("pulumi.getter"):
                    wire = mark.keywords[0].value.value if isinstance(mark, ast.Call) else each.name  # type: ignore[attr-defined]  # a literal
                    found[each.name] = (wire, ast.unparse(each.returns))
    return found


def _arguments(described: ast.ClassDef) -> dict[str, tuple[str, bool]]:
    """Return the annotation of each input of a class, and whether it is required, by wire name."""
    getters = _getters(described)
    [made] = [each for each in described.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"]
    return {
        getters[argument.arg][0]: (ast.unparse(argument.annotation), default is None)
        for argument, default in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
        if argument.annotation is not None and argument.arg in getters
    }


def _outputs(described: ast.ClassDef) -> dict[str, tuple[str, bool]]:
    return {wire: (annotation, False) for wire, annotation in _getters(described).values()}


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
