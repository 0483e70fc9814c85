"""Who called what of AWS: every request to moto, as the operation that botocore's models say it is, in one log.

IAM is asked about operations and the resources that they name, and moto's own idea of them ends at what it checks
itself; the models are what the SDKs make the requests from.
"""

import io
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

_READERS = ("balancers", "ecr", "moto", "names")
"""The sandbox's own services that read the API all day, and stand for parts of AWS that call nobody."""

_MODELS = {"elasticloadbalancing": "elb"}
"""Where botocore calls a service otherwise than its requests are signed for."""

_NAME = re.compile(r"(Arn|Name|Id)$", re.IGNORECASE)
"""The parameters that say which resource is meant: all that is written down of a request."""


def recorded(log: Path) -> None:
    """Have moto's server write a line of JSON to the log for each call: who, service, operation, names."""
    answer: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__
    lock = threading.Lock()

    def call(
        self: DomainDispatcherApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        line = _line(environ)
        if line:
            with lock, log.open("a") as file:
                file.write(f"{json.dumps(line)}\n")
        return answer(self, environ, start_response)

    patch(DomainDispatcherApplication, "__call__", call)


def _line(environ: WSGIEnvironment) -> dict[str, Any] | None:
    credential = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
    if credential is None or credential[1] in _READERS:
        return None
    who, service = credential.groups()
    body = _body(environ)
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        operation, given = target.rpartition(".")[2], _object(body)
    elif environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form = dict(parse_qsl(body.decode()))
        operation, given = form.get("Action", ""), form
    else:
        # As it was sent: in what is decoded, an ARN's own slashes look like the path's.
        path = environ["RAW_URI"].partition("?")[0].rstrip("/")
        operation, given = _by_path(service, environ["REQUEST_METHOD"], path, query)
        given = {**_object(body), **given}
    names = {key: value for key, value in given.items() if isinstance(value, str) and _is_name(key)}
    return {"who": who, "service": service, "operation": operation, "names": names}


def _is_name(key: str) -> bool:
    return bool(_NAME.search(key)) or key in ("Bucket", "Key")


def _body(environ: WSGIEnvironment) -> bytes:
    """Read the body and put it back."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length) if length else b""
    if length:
        environ["wsgi.input"] = io.BytesIO(body)
    return body


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _by_path(service: str, method: str, path: str, query: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Find the operation whose path fits, the one with most of the query's words first."""
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
