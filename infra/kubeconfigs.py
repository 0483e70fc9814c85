"""Examines the text of a kubeconfig: why it cannot be used, and what no message may repeat of it.

Only kubectl and Pulumi's provider use a kubeconfig; this module serves messages alone.
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
"""The minimum length of a credential: hiding shorter strings would make messages unreadable."""


def mistake(kubeconfig: str) -> str | None:
    """Return why a kubeconfig cannot be used and how to get a usable one; None if no mistake is found.

    The result never repeats the text.
    """
    try:
        if "clusters" in base64.b64decode("".join(kubeconfig.split()), validate=True).decode():
            return "it is in base64: give the output of `base64 --decode`"
    except ValueError:  # not base64, or not of text
        pass
    if kubeconfig.strip() and not _read(kubeconfig):
        return None  # nothing like a kubeconfig, which kubectl reports
    context = current(kubeconfig)
    if _LEFT_OUT & {*_texts(context["user"]), *_texts(context["cluster"])}:
        return f"its credentials are left out, as by `kubectl config view`: give the output of `{RAW}`"
    # In both cases kubectl would use http://localhost:8080.
    if not context["context"]:
        return "its current-context is missing, or is not one of its contexts"
    return None if context["cluster"].get("server") else "its current context names no cluster with a server"


def hide(message: str, kubeconfig: str) -> str:
    """Replace every credential of the kubeconfig in a message."""
    context = current(kubeconfig)
    # The login before the @ of a URL, and each line of a text of several lines.
    logins = [each.rpartition("@")[0].rpartition("//")[2] for each in _texts(context["cluster"])]
    secrets = {part for each in (*_texts(context["user"]), *logins) for part in each.split("\n")}
    for each in sorted((each for each in secrets if len(each) >= _SHORTEST), key=len, reverse=True):
        message = message.replace(each, "[secret]")
    return message


def current(kubeconfig: str) -> dict[str, dict[str, Any]]:
    """Return the current context, its cluster and its user; each is empty if it is missing."""
    document = _read(kubeconfig)
    found: dict[str, dict[str, Any]] = {}
    for kind in ("context", "cluster", "user"):
        name = found["context"].get(kind) if found else document.get("current-context")
        entries = document.get(f"{kind}s")
        named = [_mapping(each) for each in entries] if isinstance(entries, list) else []
        found[kind] = next((_mapping(each.get(kind)) for each in named if name and each.get("name") == name), {})
    return found


def switched(kubeconfig: str, context: str | None) -> str:
    """Return the kubeconfig with another current-context; unchanged if `context` is None or the text is no object."""
    document = _read(kubeconfig)
    return yaml.safe_dump({**document, "current-context": context}) if context and document else kubeconfig


def several(kubeconfig: str) -> bool:
    """Return whether it has more than one context needs."""
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
    """Yield every string in a value, except keys and what is not secret."""
    match value:
        case dict():
            for key, each in value.items():
                yield from () if key in _PLAIN else _texts(each)
        case list():
            for each in value:
                yield from _texts(each)
        case str() | int() | float():  # Go's errors repeat numbers
            yield str(value)
