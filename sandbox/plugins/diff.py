"""The difference between two sets of inputs, property by property."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pulumi.runtime.proto import provider_pb2

from sandbox.plugins.values import Path, Unknown, show_path

if TYPE_CHECKING:
    Kind: TypeAlias = provider_pb2.PropertyDiff.Kind.ValueType

ADD: Final = provider_pb2.PropertyDiff.ADD
UPDATE: Final = provider_pb2.PropertyDiff.UPDATE
DELETE: Final = provider_pb2.PropertyDiff.DELETE

_REPLACING: Final = {
    ADD: provider_pb2.PropertyDiff.ADD_REPLACE,
    UPDATE: provider_pb2.PropertyDiff.UPDATE_REPLACE,
    DELETE: provider_pb2.PropertyDiff.DELETE_REPLACE,
}


def changes(old: Any, new: Any, path: Path = ()) -> dict[Path, Kind]:
    """Map the path of each leaf that differs to ADD, UPDATE or DELETE. None is the same as nothing."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[Path, Kind] = {}
        for key in old | new:
            found |= changes(old.get(key), new.get(key), (*path, key))
        return found
    if isinstance(old, list) and isinstance(new, list):
        found = {}
        for at in range(max(len(old), len(new))):
            one, other = (side[at] if at < len(side) else None for side in (old, new))
            found |= changes(one, other, (*path, at))
        return found
    if isinstance(new, Unknown):
        return {path: ADD if old is None else UPDATE}
    if old == new:
        return {}
    return {path: ADD if old is None else DELETE if new is None else UPDATE}


def response(
    found: dict[Path, Kind], *, inputs: Container[str], replace_on: Iterable[str], delete_first: bool
) -> provider_pb2.DiffResponse:
    """Tell the engine what differs; `inputs` are the names of those properties that are inputs.

    A path that lies at, under or over one of `replace_on` (dotted names, without list positions) replaces the
    resource; with `delete_first` the old one is deleted before the new one is made.
    """
    replaces = {path for path in found if any(_touches(path, name) for name in replace_on)}
    return provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=sorted({str(path[0]) for path in found}),
        replaces=sorted({str(path[0]) for path in replaces}),
        deleteBeforeReplace=bool(replaces) and delete_first,
        hasDetailedDiff=True,
        detailedDiff={
            show_path(path): provider_pb2.PropertyDiff(
                kind=_REPLACING[kind] if path in replaces else kind, inputDiff=path[0] in inputs
            )
            for path, kind in found.items()
        },
    )


def _touches(path: Path, name: str) -> bool:
    names = [step for step in path if isinstance(step, str)]
    wanted = name.split(".")
    shorter = min(len(names), len(wanted))
    return names[:shorter] == wanted[:shorter]


def without_ignored(found: dict[Path, Kind], ignored: Iterable[str]) -> dict[Path, Kind]:
    """Drop the paths at or under one of the property paths that `ignore_changes` names."""
    patterns = [re.compile(re.escape(name).replace(r"\*", r"[^.\[]*") + r"(?![^.\[])") for name in ignored]
    return {path: kind for path, kind in found.items() if not any(p.match(show_path(path)) for p in patterns)}


def without_left_out(found: dict[Path, Kind], filled_in: Container[str]) -> dict[Path, Kind]:
    """Drop the inputs (dotted names) that the program leaves to the service: what it chose then stays."""
    return {path: kind for path, kind in found.items() if kind != DELETE or ".".join(map(str, path)) not in filled_in}
