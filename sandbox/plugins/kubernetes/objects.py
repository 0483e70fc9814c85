"""Kubernetes objects as plain values: names, what the server filled in, what means the same.

Nothing here talks to a cluster.
"""

import base64
import binascii
import hashlib
import secrets
from decimal import Decimal
from typing import Any

from sandbox.plugins.resource import InvalidInputError
from sandbox.plugins.values import Properties, Unknown, is_known

AUTONAMED = "pulumi.com/autonamed"
SKIP_AWAIT = "pulumi.com/skipAwait"
TIMEOUT = "pulumi.com/timeoutSeconds"
DIRECTIVES = frozenset({AUTONAMED, SKIP_AWAIT, TIMEOUT})
"""The official provider's annotations that this stand-in obeys."""

SERVER_METADATA = frozenset(
    {
        "creationTimestamp",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""Metadata that only the server writes."""

SERVER_ANNOTATIONS = frozenset({"deployment.kubernetes.io/revision"})

_QUANTITIES = frozenset({"limits", "requests", "overhead"})
"""Maps whose values are quantities: 0.5 and 500m are the same."""

_SUFFIXES = {
    **{
        suffix: Decimal(1000) ** power
        for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), -3)
    },
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
}


def annotations(obj: Properties) -> dict[str, Any]:
    """Give an object's annotations; none while they are unknown."""
    metadata = obj.get("metadata")
    found = metadata.get("annotations") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}


def named(inputs: Properties, *, old: Properties, logical_name: str, seed: bytes) -> Properties:
    """Give the inputs a name if they have none: the old generated one, else LOGICALNAME-XXXXXXXX.

    A generated name is marked by the annotation `pulumi.com/autonamed`, as the official provider does. Inputs
    whose metadata or annotations are not known yet stay as they are. Raises InvalidInputError for
    generateName, which server-side apply does not have.
    """
    metadata = inputs.get("metadata") or {}
    if isinstance(metadata, Unknown) or metadata.get("name") is not None:
        return inputs
    if metadata.get("generateName") is not None:
        raise InvalidInputError(
            "metadata.generateName",
            "server-side apply needs the whole name; leave it out to get one generated",
        )
    if annotations(old).get(AUTONAMED) == "true":
        name = old["metadata"]["name"]
    else:
        suffix = hashlib.sha256(seed).hexdigest()[:8] if seed else secrets.token_hex(4)
        name = f"{logical_name}-{suffix}"
    marks = metadata.get("annotations") or {}
    if not isinstance(marks, Unknown):
        metadata = metadata | {"annotations": marks | {AUTONAMED: "true"}}
    return inputs | {"metadata": metadata | {"name": name}}


def quantity(value: Any) -> Decimal | None:
    """Read a resource quantity such as 250m, 64Mi or 0.5; None if it is none."""
    text = str(value)
    number = text.rstrip("numkMGTPEi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (ArithmeticError, KeyError):
        return None


def canonical(value: Any, *, within: str = "") -> Any:
    """Spell a value as every value of the same meaning: no nulls, quantities as plain numbers."""
    if isinstance(value, dict):
        return {
            key: canonical(item, within=key if within not in _QUANTITIES else within)
            for key, item in value.items()
            if item is not None
        }
    if isinstance(value, list):
        return [canonical(item, within=within) for item in value]
    if within in _QUANTITIES and isinstance(value, str | int | float) and not isinstance(value, bool):
        amount = quantity(value)
        return value if amount is None else format(amount.normalize(), "f")
    return value


def pruned(live: Any, like: Any, *, within: str = "") -> Any:
    """Reduce a live value to the shape of the inputs that made it.

    What the server filled in is left out, what means the same keeps the spelling of the inputs, and what
    is gone or different shows. An empty input that the server did not store counts as stored.
    """
    if isinstance(like, dict) and isinstance(live, dict):
        kept = {}
        for key, item in like.items():
            if key in live and live[key] is not None:
                kept[key] = pruned(live[key], item, within=key if within not in _QUANTITIES else within)
            elif item is None or item in ({}, [], "", 0):
                kept[key] = item
        return kept
    if isinstance(like, list) and isinstance(live, list):
        return [pruned(item, like[at], within=within) if at < len(like) else item for at, item in enumerate(live)]
    return like if canonical(live, within=within) == canonical(like, within=within) else live


def live_inputs(live: Properties, *, old: Properties, fields: tuple[str, ...]) -> Properties:
    """Give the inputs that would lead to the live object; `old` are the last inputs, empty on import."""
    if old:
        live = live | {"stringData": _decoded(live.get("data", {}))} if "stringData" in old else live
        found: Properties = pruned(live, old)
        return found
    metadata = {key: value for key, value in live["metadata"].items() if key not in SERVER_METADATA}
    marks = {key: value for key, value in annotations(live).items() if key not in SERVER_ANNOTATIONS}
    metadata = {key: value for key, value in (metadata | {"annotations": marks}).items() if value}
    kept = {key: live[key] for key in ("apiVersion", "kind", *fields) if key in live}
    return kept | {"metadata": metadata}


def body(inputs: Properties) -> Properties:
    """Give what is sent to the server: the inputs, the texts of `stringData` encoded into `data`.

    The server would do the same with `stringData`, but would then not notice when one of its keys is dropped.
    """
    texts = inputs.get("stringData") or {}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    rest = {key: value for key, value in inputs.items() if key != "stringData"}
    return rest | {"data": (inputs.get("data") or {}) | encoded} if encoded else rest


def _decoded(data: dict[str, str]) -> dict[str, str]:
    """Read a Secret's `data` as `stringData`; what is no text stays encoded, and so differs from any text."""
    texts = {}
    for key, value in data.items():
        try:
            texts[key] = base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            texts[key] = value
    return texts


def identity(obj: Properties) -> str:
    """Give the Pulumi id of an object: NAMESPACE/NAME, or NAME where there is no namespace."""
    metadata = obj["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def is_named_alike(old: Properties, new: Properties) -> bool:
    """Tell whether the new object takes the old one's place: the same name, given by the program."""
    if annotations(new).get(AUTONAMED) == "true" or not is_known(new.get("metadata")):
        return False
    places = ((each["metadata"].get("namespace"), each["metadata"].get("name")) for each in (old, new))
    return len(set(places)) == 1
