"""The models as a JSON Schema, simple enough to be followed by key and read by an editor."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from infra.settings.section import Place

Node = dict[str, Any]
"""A schema, or a part of one."""


_SINGLE = (str, bool, int, float, list)


def of(model: type[BaseModel]) -> Node:
    """Return a model's schema without references: every part inline, and nothing nullable.

    A missing key has its default. `null` means the same, and no editor needs to propose it.
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
        # The default of an object follows from its keys.
        if key in ("$ref", "anyOf", "title", "discriminator") or (key == "default" and not isinstance(value, _SINGLE)):
            continue
        found[key] = (
            {name: _plain(each, parts) for name, each in value.items()}
            if key == "properties"
            else (value if key == "default" else _plain(value, parts))
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where pydantic found an error."""

    place: Place
    """The path from the top to the value, as in the stack's file."""
    node: Node
    """The schema of the value; empty for an unknown key."""
    holder: Node
    """The schema of the object or list around it."""

    @property
    def key(self) -> str:
        """The path as users write it, such as `cluster.nodes[1].name`."""
        return path(self.place)


def path(place: Place) -> str:
    """Format a place as `pulumi config set --path` takes it."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place).removeprefix(".")


def spot(schema: Node, location: Place) -> Spot:
    """Follow a location from pydantic, which has the driver's name between `cluster` and its keys."""
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
            step = to_camel(step)  # an invalid default: pydantic reports the field's name
        place.append(step)
        # Names with a pattern are under patternProperties.
        others = node.get("items" if isinstance(step, int) else "additionalProperties")
        if not isinstance(others, dict):
            others = next(iter(node.get("patternProperties", {}).values()), {})
        holder, node = node, inside.get(step) or others
    return Spot(place=tuple(place), node=node, holder=holder)


def variants(node: Node) -> dict[str, Node]:
    """Return the forms of an object by the value of its `driver`; empty if it has no driver."""
    return {each["properties"]["driver"]["const"]: each for each in node.get("oneOf", [])}


ANY = "*"
"""In a place: any name of an object's entries."""


def secrets(schema: Node) -> Iterator[Place]:
    """Yield the places of all secrets: each is a key of a section, or an entry of such a key."""
    for section, node in schema["properties"].items():
        for form in [node, *variants(node).values()]:
            for key, value in form.get("properties", {}).items():
                entries = value.get("additionalProperties")
                if value.get("writeOnly"):
                    yield section, key
                elif isinstance(entries, dict) and entries.get("writeOnly"):
                    yield section, key, ANY
