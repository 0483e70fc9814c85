"""How moto's server serves: no request twice, and each answer in one piece.

An SDK sends a request again when its answer is lost or is a server error. EC2 and EKS recognize it by a token: they
repeat their first answer and carry out nothing. moto ignores the tokens.
"""

import io
import threading
from collections.abc import Callable, Iterable
from functools import partial
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from werkzeug.wrappers import Response

from sandbox.aws.patch import patch

_TOKENS = (b"ClientToken=", b'"clientRequestToken":')
"""How a body shows that it has a token, in the APIs of EC2 and of EKS. An SDK takes a new one for every operation.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""


def as_aws_does_it() -> None:
    """Have moto's server answer a repeated request as it did the first time, and send each answer in one piece."""
    serve: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__
    turn = threading.Lock()
    answers: dict[tuple[str, bytes], Response] = {}

    def call(
        self: DomainDispatcherApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        sent = body(environ)
        if not any(token in sent for token in _TOKENS):
            return serve(self, environ, start_response)
        request = (environ["PATH_INFO"], sent)
        with turn:  # a repeated request waits for the answer of the first
            answer = answers.get(request) or Response.from_app(partial(serve, self), environ, buffered=True)
            if answer.status_code < 300:
                answers[request] = answer
        return answer(environ, start_response)

    patch(DomainDispatcherApplication, "__call__", call)
    # A buffer, so that head and body leave together. Under load the AWS plugin has been seen to close the connection
    # after a head that came alone, and to send the request again.
    patch(MotoRequestHandler, "wbufsize", 65536)


def body(environ: WSGIEnvironment) -> bytes:
    """Return a request's body, and put it back for the next reader."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    sent: bytes = environ["wsgi.input"].read(length) if length else b""
    if length:
        environ["wsgi.input"] = io.BytesIO(sent)
    return sent
