"""The text of a kubeconfig: what is wrong with one that cannot be used, and what of it no message may repeat.

Only kubectl and Pulumi's provider act on it; what is read here is for words alone.
"""

import base64
from collections.abc import Iterator
from typing import Any

import yaml

RAW = "kubectl config view --raw --minify --flatten"
"""The command that prints the current context of a kubeconfig with all that it needs."""

_LEFT_OUT = {"DATA+OMITTED", "REDACTED"}
_PLAIN = {"apiVersion", "args", "as", "as-groups", "command", "installHint", "interactiveMode", "name"} | {
    "client-certificate",
    "client-key",
    "tokenFile",
}
"""The keys of a user that hold no credential: names, paths, and a command line, which every process can see anyway."""
_SHORTEST = 4
"""Characters of what is taken for a credential: without any shorter one, a message stays readable."""


def mistake(kubeconfig: str) -> str | None:
    """Say what a text is that cannot be used as a kubeconfig, and what gives the right one; None when nothing is seen.

    Never repeats the text.
    """
    try:
        if "clusters" in base64.b64decode("".join(kubeconfig.split()), validate=True).decode():
            return "it is in base64: give what `base64 --decode` makes of it"
    except ValueError:  # no base64, or of no text
        pass
    if kubeconfig.strip() and not _read(kubeconfig):
        return None  # nothing like a kubeconfig, as kubectl says
    context = current(kubeconfig)
    if _LEFT_OUT & {*_texts(context["user"]), *_texts(context["cluster"])}:
        return f"its credentials are left out, as `kubectl config view` does: give what `{RAW}` prints"
    # kubectl would take http://localhost:8080 instead of either.
    if not context["context"]:
        return "it has no current-context that is one of its contexts"
    return None if context["cluster"].get("server") else "its current context names no cluster that has a server"


def hide(message: str, kubeconfig: str) -> str:
    """Put a word in the place of every credential of the kubeconfig."""
    context = current(kubeconfig)
    # What stands before the @ of a URL, and the lines of a text of several.
    logins = [each.rpartition("@")[0].rpartition("//")[2] for each in _texts(context["cluster"])]
    secrets = {part for each in (*_texts(context["user"]), *logins) for part in each.split("\n")}
    for each in sorted((each for each in secrets if len(each) >= _SHORTEST), key=len, reverse=True):
        message = message.replace(each, "[secret]")
    return message


def current(kubeconfig: str) -> dict[str, dict[str, Any]]:
    """Give the current context, its cluster and its user, each empty where there is none."""
    document = _read(kubeconfig)
    found: dict[str, dict[str, Any]] = {}
    for kind in ("context", "cluster", "user"):
        name = found["context"].get(kind) if found else document.get("current-context")
        entries = document.get(f"{kind}s")
        named = [_mapping(each) for each in entries] if isinstance(entries, list) else []
        found[kind] = next((_mapping(each.get(kind)) for each in named if name and each.get("name") == name), {})
    return found


def several(kubeconfig: str) -> bool:
    """Whether there is more in it than one context can need."""
    document = _read(kubeconfig)
    return any(len(document.get(each) or ()) > 1 for each in ("contexts", "clusters", "users"))


def _read(kubeconfig: str) -> dict[str, Any]:
    try:
        return _mapping(yaml.safe_load(kubeconfig))
    except yaml.YAMLError:
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> Iterator[str]:
    """Every text in a value, but for keys and what is plain."""
    match value:
        case dict():
            for key, each in value.items():
                yield from () if key in _PLAIN else _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case str() | int() | float():  # Go's errors repeat numbers
            yield str(value)
