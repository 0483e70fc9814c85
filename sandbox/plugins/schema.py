"""What a type accepts, and the refusal, by name, of everything else."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from sandbox.plugins.values import Path, Unknown

Schema: TypeAlias = "type | Mapping[str, Schema] | list[Schema]"
"""str, bool, int or float; dict for a map with any keys; object for any value at all; {name: schema} for an
object with exactly these properties; [schema] for a list."""

_NAMES = {str: "a string", bool: "true or false", int: "a whole number", float: "a number", dict: "a map"}


def faults(schema: Schema, value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield (path, reason) for each thing in `value` that `schema` does not allow.

    None and UNKNOWN fit anywhere.
    """
    if value is None or isinstance(value, Unknown):
        return
    if isinstance(schema, Mapping):
        if not isinstance(value, dict):
            yield path, f"expected an object with {_listed(schema)}, found {type(value).__name__}"
            return
        for key, item in value.items():
            if key in schema:
                yield from faults(schema[key], item, (*path, key))
            else:
                yield (
                    (*path, key),
                    f"this stand-in implements only {_listed(schema)} here, use the official plugin",
                )
    elif isinstance(schema, list):
        if not isinstance(value, list):
            yield path, f"expected a list, found {type(value).__name__}"
            return
        for at, item in enumerate(value):
            yield from faults(schema[0], item, (*path, at))
    elif schema is not object:
        is_bool = isinstance(value, bool)  # which Python counts among the ints
        # a number on the wire does not tell 1 from 1.0
        if is_bool is not (schema is bool) or not isinstance(value, int | float if schema is float else schema):
            yield path, f"expected {_NAMES[schema]}, found {type(value).__name__}"


def _listed(schema: Mapping[str, Schema]) -> str:
    return ", ".join(sorted(schema)) or "no property"
