"""Problems in a stack's settings: the key, what was found (never a secret), and what is expected."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from infra.settings import schema
from infra.settings.schema import Node, Spot
from infra.settings.section import Place

UNKNOWN_KEY = "an unknown key"
_HIDDEN = "a value that is not shown"
_LONGEST = 80
"""The number of characters of a value that are shown."""
_KINDS = {str: "a string", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
_TYPES = {
    "string": "a string",
    "boolean": "true or false",
    "integer": "a whole number",
    "array": "a list",
    "object": "an object",
}

Encrypted = Callable[[Place], bool]
"""Returns whether the value at a place is encrypted in the stack's file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One value that is refused."""

    key: str
    """The path of the value, such as `cluster.nodes[1].name`."""
    found: str
    expected: str

    def __str__(self) -> str:
        """Return the problem on one line."""
        return f"{self.key}: found {self.found}, expected {self.expected}"


class RefusedError(Exception):
    """The settings are invalid."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Take all problems."""
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


def told(error: ValidationError, described: Node, *, encrypted: Encrypted) -> list[Problem]:
    """Convert pydantic's errors to problems, by the schema of the model; for each value, keep the first."""
    found: dict[str, Problem] = {}
    for each in error.errors(include_url=False):
        # Both follow from another error: pydantic does not count the invalid entries of a list, nor make a default from
        # invalid values.
        follows = each["type"] == "default_factory_not_called" or (each["type"] == "too_short" and each["input"])
        if not follows:
            problem = _told(each, described, encrypted)
            found.setdefault(problem.key, problem)
    return list(found.values())


def one_of(words: Iterable[str], *, instead_of: object = None) -> str:
    """List the words, and suggest the one most similar to `instead_of`."""
    known = sorted(words)
    near = nearest(instead_of, known) if isinstance(instead_of, str) else None
    return f"one of {', '.join(known)}" + (f" (did you mean {near}?)" if near else "")


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word most similar to another; None if no word is similar."""
    return next(iter(difflib.get_close_matches(word, list(words), n=1)), None)


def _told(error: Any, described: Node, encrypted: Encrypted) -> Problem:
    spot, value = schema.spot(described, error["loc"]), error["input"]
    if error["type"].startswith("union_tag") and isinstance(value, dict):
        return _driver(schema.spot(described, (*error["loc"], "driver")), value, encrypted)
    if error["type"] == "extra_forbidden":
        return _unknown(spot, spot.holder.get("properties", {}))
    if error["loc"][-1:] == ("[key]",):
        if "enum" in spot.node:
            return _unknown(spot, spot.node["enum"])
        return Problem(key=spot.key, found=f"the name {_shown(value)}", expected=_expected(error, spot))
    if error["type"] != "missing" and value is not None and encrypted(spot.place) and not spot.node.get("writeOnly"):
        # The expected form may repeat part of the value.
        return Problem(key=spot.key, found=_HIDDEN, expected=_described(spot.node, None))
    return Problem(key=spot.key, found=_found(error, spot.node), expected=_expected(error, spot))


def _driver(spot: Spot, section: dict[str, Any], encrypted: Encrypted) -> Problem:
    chosen, forms = section.get("driver"), schema.variants(spot.holder)
    if chosen is None:
        return Problem(key=spot.key, found="nothing", expected=one_of(forms))
    found = _HIDDEN if encrypted(spot.place) else _shown(chosen)
    return Problem(key=spot.key, found=found, expected=one_of(forms, instead_of=chosen))


def _unknown(spot: Spot, known: Iterable[str]) -> Problem:
    name = str(spot.place[-1])
    return Problem(key=spot.key, found=UNKNOWN_KEY, expected=nearest(name, known) or one_of(known))


def _found(error: Any, node: Node) -> str:
    value, shown = error["input"], error.get("ctx", {}).get("found")
    if error["type"] == "missing":
        return "nothing"
    if shown is not None:
        return str(shown)
    if node.get("writeOnly"):
        return _HIDDEN if isinstance(value, str) else _kind(value)
    if node.get("type") == "object" or "oneOf" in node:
        return _kind(value)  # it may be a misplaced secret
    return _shown(value)


def _expected(error: Any, spot: Spot) -> str:
    node, value = spot.node, error["input"]
    if error["type"] == "refused" and error["ctx"]["expected"]:
        return str(error["ctx"]["expected"])
    words = _described(node, value)
    if error["type"] == "string_type" and isinstance(value, int | float):
        # In the file quotes are enough; `pulumi config set` takes even quoted digits for a number.
        return f"{words}, as a string: in quotes, or by pulumi config set --path --type string {spot.key} <value>"
    if (
        node.get("type") in ("integer", "boolean")
        and isinstance(value, str)
        and re.fullmatch(r"-?\d+|true|false", value)
    ):
        return f"{words}, without quotes"
    return words


def _described(node: Node, value: object) -> str:
    if "enum" in node:
        return one_of(node["enum"], instead_of=value)
    return str(node.get("const") or node.get("errorMessage") or _TYPES[node.get("type", "object")])


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "nothing")


def _shown(value: object) -> str:
    if isinstance(value, dict | list) and value:
        return _kind(value)
    written = re.sub(r"//[^/\s]*@", "//…@", json.dumps(value, ensure_ascii=False))  # a login in a URL
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…"
