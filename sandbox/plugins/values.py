"""Plain Python values from the wire, and back: what is secret and what is not yet known survive the trip."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

Path = tuple[str | int, ...]
"""Where a value sits: property names and list positions from the top."""

Properties = dict[str, Any]
"""Properties of a resource by name: str, int, float, bool, None, UNKNOWN, and lists and dicts of them."""


class Unknown:
    """The type of UNKNOWN."""

    def __repr__(self) -> str:
        """Show the constant's own name."""
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""Stands in a preview for a value that exists only after the update."""


def load(message: struct_pb2.Struct) -> tuple[Properties, set[Path]]:
    """Read properties from the wire.

    Returns them unwrapped, with the paths of those that were secret. Raises ValueError for an asset or an
    archive: no stand-in takes one.
    """
    secrets: set[Path] = set()
    return {key: _load(value, (key,), secrets) for key, value in message.fields.items()}, secrets


def _load(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        signature = fields[rpc._special_sig_key].string_value if rpc._special_sig_key in fields else None
        if signature is None:
            return {key: _load(item, (*path, key), secrets) for key, item in fields.items()}
        if signature == rpc._special_secret_sig:
            secrets.add(path)
            return _load(fields["value"], path, secrets)
        raise ValueError(f"{show_path(path)}: a value of the kind {signature} is not understood here")
    if kind == "list_value":
        return [_load(item, (*path, at), secrets) for at, item in enumerate(value.list_value.values)]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    return value.bool_value if kind == "bool_value" else None


def dump(properties: Properties, secrets: Iterable[Path] = ()) -> struct_pb2.Struct:
    """Write properties to the wire, those at the given paths marked secret.

    A path that ends below a value that is neither a dict nor a list marks that value; one that leads nowhere
    marks nothing.
    """
    message = struct_pb2.Struct()
    message.update(_dump(properties, set(secrets)))
    return message


def _dump(value: Any, secrets: set[Path]) -> Any:
    if isinstance(value, Unknown):
        return rpc.UNKNOWN
    below: dict[str | int, set[Path]] = {}
    for path in secrets:
        below.setdefault(path[0], set()).add(path[1:])
    if isinstance(value, dict):
        return {key: _dump_at(item, below.get(key, set())) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_dump_at(item, below.get(at, set())) for at, item in enumerate(value)]
    return value


def _dump_at(value: Any, secrets: set[Path]) -> Any:
    if () in secrets or (secrets and not isinstance(value, dict | list | tuple)):
        return {rpc._special_sig_key: rpc._special_secret_sig, "value": _dump(value, set())}
    return _dump(value, secrets)


def is_known(value: Any) -> bool:
    """Tell whether neither the value nor anything inside it is UNKNOWN."""
    if isinstance(value, dict):
        return all(map(is_known, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_known, value))
    return not isinstance(value, Unknown)


def adjusted(properties: Properties, **how: Callable[[Any], Any]) -> Properties:
    """Apply each function to the property of its name, where that is given and wholly known."""
    return {
        name: how[name](value) if name in how and value is not None and is_known(value) else value
        for name, value in properties.items()
    }


def show_path(path: Path) -> str:
    """Spell a path as Pulumi does: `rules[0].tags["a.b"]`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text
