"""A log of every request to moto: who called which operation, on which resources.

IAM policies are about operations and resources. They are taken from botocore's models, from which the SDKs make the
requests: moto resolves only what it checks itself.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote
from wsgiref.types import StartResponse, WSGIEnvironment

import botocore.session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from sandbox.aws.patch import patch
from sandbox.aws.serving import body

_READERS = ("balancers", "ecr", "moto", "names")
"""The sandbox's own services, which poll the API. They are not logged: they stand in for internal parts of AWS."""

_MODELS = {"elasticloadbalancing": "elb"}
"""By signing name: the name in botocore, where it differs."""

_NAME = re.compile(r"(Arn|Name|Id)$", re.IGNORECASE)
"""Matches the parameters that identify a resource; only these are logged."""


def recorded(log: Path) -> None:
    """Make moto's server append a line of JSON to the log for each call: who, service, operation, names."""
    answer: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__
    lock = threading.Lock()

    def call(
        self: DomainDispatcherApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        line = called(environ)
        if line:
            with lock, log.open("a") as file:
                file.write(f"{json.dumps(line)}\n")
        return answer(self, environ, start_response)

    patch(DomainDispatcherApplication, "__call__", call)


def called(environ: WSGIEnvironment) -> dict[str, Any] | None:
    """Return a request's caller, service, operation and names; None for an unsigned one or one of _READERS."""
    credential = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if credential is None or credential[1] in _READERS:
        return None
    who, service = credential.groups()
    sent = body(environ)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        operation, given = target.rpartition(".")[2], _object(sent)
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(sent.decode()))
        operation, given = form.get("Action", ""), form
    else:
        # The raw path: once decoded, an ARN's slashes look like the path's.
        path = environ["RAW_URI"].partition("?")[0].rstrip("/")
        operation, given = _by_path(service, environ["REQUEST_METHOD"], path, query)
        given = {**_object(sent), **given}
    names = {key: value for key, value in given.items() if isinstance(value, str) and _is_name(key)}
    return {"who": who, "service": service, "operation": operation, "names": names}


def _is_name(key: str) -> bool:
    return bool(_NAME.search(key)) or key in ("Bucket", "Key")


def _object(sent: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(sent)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _by_path(service: str, method: str, path: str, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Return the operation whose path matches, the one with the most matching query words, and the path's names."""
    for operation, wanted, pattern, words in _paths(service):
        if wanted == method and words <= query.keys() and (found := pattern.fullmatch(path)):
            return operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return "", {}


@cache
def _paths(service: str) -> list[tuple[str, str, re.Pattern[str], frozenset[str]]]:
    return sorted(_described(service), key=lambda each: (-len(each[3]), -len(each[2].pattern)))


def _described(service: str) -> Iterator[tuple[str, str, re.Pattern[str], frozenset[str]]]:
    model = botocore.session.get_session().get_service_model(_MODELS.get(service, service))
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        path, _, query = http["requestUri"].partition("?")
        pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", _group, re.escape(path.rstrip("/")))
        words = frozenset(key for key, _ in parse_qsl(query, keep_blank_values=True))
        yield operation, http["method"], re.compile(pattern), words


def _group(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})"
