"""The fields that a kind has, as the Kubernetes client's own model classes tell them.

So a misspelt field is refused by name before any cluster is asked, also in a preview of a cluster that
does not exist yet. The import takes half a second: callers ask only for inputs that have changed.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any

from sandbox.plugins.resource import InvalidInputError
from sandbox.plugins.schema import Schema, faults
from sandbox.plugins.values import Path, Properties, show_path

_SCALARS: dict[str, Schema] = {
    "str": str,
    "int": int,
    "bool": bool,
    "float": float,
    "object": object,
    "datetime": str,
}


@cache
def schema(model: str) -> dict[str, Schema]:
    """Give the schema of a model class, named as in `kubernetes.client`."""
    from kubernetes import client

    described: Any = getattr(client, model)
    return {described.attribute_map[name]: _schema(kind) for name, kind in described.openapi_types.items()}


def _schema(kind: str) -> Schema:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind.startswith("dict("):
        return dict
    if found := re.fullmatch(r"list\[(.+)]", kind):
        return [_schema(found[1])]
    return schema(kind)


def unknown_field(model: str, inputs: Properties) -> InvalidInputError | None:
    """Give the refusal of the first input field that the kind does not have or that has the wrong type."""
    described = schema(model)
    for path, reason in faults(described, inputs):
        known, key = _names(described, path[:-1]), str(path[-1])
        if known and key not in known:
            near = get_close_matches(key, known, n=1)
            reason = "Kubernetes has no such field here" + (f", did you mean {near[0]}?" if near else "")
        return InvalidInputError(show_path(path), reason)
    return None


def _names(described: Schema, path: Path) -> Mapping[str, Schema]:
    """Give the fields of the object at a path; none where it is no object with fixed fields."""
    for step in path:
        if isinstance(step, int) and isinstance(described, list):
            described = described[0]
        elif isinstance(step, str) and isinstance(described, Mapping):
            described = described[step]
    return described if isinstance(described, Mapping) else {}
