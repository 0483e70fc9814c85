"""The values of a resource's properties as a reader may see them: paths followed, secrets kept, long ones cut."""

import json
import re
from typing import Any

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that only an `up` will know (its SDKs' `UnknownStringValue`)."""

SECRET = "[secret]"  # noqa: S105  # the word the engine writes instead of a secret
LIMIT = 160
"""Characters of one value: an image with registry, repository and digest is read whole."""

_STEP = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\.?([^.\[\]]+)')
_BEFORE = 30
"""Characters that are shown ahead of the first difference between two long values."""


def steps(path: str) -> list[str | int]:
    """Take a path such as `spec.ports[0].name` or `tags["a.b"]` apart, as the engine writes them."""
    return [
        int(index) if index else re.sub(r"\\(.)", r"\1", quoted) if quoted else name
        for index, quoted, name in _STEP.findall(path)
    ]


def find(properties: Any, path: str) -> Any:
    """Follow a path; a value inside a secret is SECRET. Raises KeyError where there is nothing."""
    value = properties
    for step in steps(path):
        if value in (SECRET, UNKNOWN):
            return value
        try:
            value = value[step]
        except (IndexError, TypeError) as error:
            raise KeyError(path) from error
    return value


def readable(path: str, *states: Any) -> str:
    """Name the elements of lists: `env[3].value` is `env[VERSION].value` when one of the states says so."""
    named, walked = "", ""
    for step in steps(path):
        walked += f"[{step}]" if isinstance(step, int) else f"[{json.dumps(step)}]"
        if isinstance(step, int):
            named += f"[{_name(walked, states) or step}]"
        else:
            plain = re.fullmatch(r"[\w$-]+", step)
            named += f".{step}" if plain else f"[{json.dumps(step, ensure_ascii=False)}]"
    return named.removeprefix(".")


def _name(path: str, states: tuple[Any, ...]) -> str | None:
    for state in states:
        try:
            name = find(state, f"{path}.name")
        except KeyError:
            continue
        if isinstance(name, str) and name not in (SECRET, UNKNOWN):
            return name
    return None


def text(value: Any) -> str:
    """Write a value on one line, as JSON; what cannot be printed, such as a turn of direction, as its number."""
    if value == SECRET:
        return SECRET
    if value == UNKNOWN:
        return "known after up"
    written = json.dumps(_document(value), ensure_ascii=False).replace(UNKNOWN, "known after up")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in written)


def _document(value: Any) -> Any:
    """The document in a text that is JSON itself, such as a policy, which is unreadable between quotes."""
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def shown(value: Any, *, beside: Any = None) -> str:
    """Write a value within LIMIT characters; of a long one the part that differs from the one `beside` it."""
    written = text(value)
    if len(written) <= LIMIT:
        return written
    other = text(beside)
    same = next((at for at, each in enumerate(written) if other[at : at + 1] != each), len(written))
    start = max(0, min(same - _BEFORE, len(written) - LIMIT))
    cut = written[start : start + LIMIT]
    return f"{'…' if start else ''}{cut}{'…' if start + LIMIT < len(written) else ''}"
