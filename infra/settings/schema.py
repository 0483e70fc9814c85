"""The models as a JSON Schema, plain enough to be walked along a key, and to be read by an editor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from infra.settings.section import Place

Node = dict[str, Any]
"""A schema, or a part of one."""


def of(model: type[BaseModel]) -> Node:
    """Give a model's schema without references: every part where it is used, and nothing that may be null.

    A key that is not given has its default; `null` is accepted as that, and no editor needs to propose it.
    """
    whole = model.model_json_schema(by_alias=True)
    plain: Node = _plain(whole, whole.pop("$defs", {}))
    return plain


def _plain(node: Any, parts: Mapping[str, Node]) -> Any:
    if isinstance(node, list):
        return [_plain(each, parts) for each in node]
    if not isinstance(node, dict):
        return node
    found: Node = {}
    if name := node.get("$ref"):
        found |= _plain(parts[name.rpartition("/")[2]], parts)
    for each in node.get("anyOf", []):
        if each != {"type": "null"}:
            found |= _plain(each, parts)
    for key, value in node.items():
        if key in ("$ref", "anyOf", "title", "discriminator") or (key == "default" and value is None):
            continue
        found[key] = (
            {name: _plain(each, parts) for name, each in value.items()}
            if key == "properties"
            else (value if key == "default" else _plain(value, parts))
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where pydantic found a problem."""

    place: Place
    """From the top to the value, as in the stack's file."""
    node: Node
    """What the value must look like; empty for an unknown key."""
    holder: Node
    """What the object or list around it must look like."""

    @property
    def key(self) -> str:
        """The path as a reader knows it, such as `cluster.nodes[1].name`."""
        return path(self.place)


def path(place: Place) -> str:
    """Write a place as `pulumi config set --path` takes it."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place).removeprefix(".")


def spot(schema: Node, location: Place) -> Spot:
    """Follow a location as pydantic gives it: with a driver's word between `cluster` and its keys."""
    place: list[str | int] = []
    node = holder = schema
    for step in location:
        if step == "[key]":  # the name of an entry is wrong, not its value
            return Spot(place=tuple(place), node=holder.get("propertyNames", {}), holder=holder)
        if variant := variants(node).get(str(step)):
            node = holder = variant
            continue
        inside = node.get("properties", {})
        if isinstance(step, str) and step not in inside and to_camel(step) in inside:
            step = to_camel(step)  # a default that is refused, which pydantic places by the field's name
        place.append(step)
        others = node.get("items" if isinstance(step, int) else "additionalProperties")
        holder, node = node, inside.get(step) or (others if isinstance(others, dict) else {})
    return Spot(place=tuple(place), node=node, holder=holder)


def variants(node: Node) -> dict[str, Node]:
    """Give the forms that an object has by the word under its `driver`; none for one that has no driver."""
    return {each["properties"]["driver"]["const"]: each for each in node.get("oneOf", [])}


def secrets(schema: Node) -> Iterator[Place]:
    """Give the places of all secrets: every one is a key of a section."""
    for section, node in schema["properties"].items():
        for form in [node, *variants(node).values()]:
            for key, value in form.get("properties", {}).items():
                if value.get("writeOnly"):
                    yield section, key
