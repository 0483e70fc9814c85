"""How moto's server serves: no request twice, each answer in one piece and, where that is possible, one at a time.

An SDK sends a request again when its answer is lost or is a server error. EC2 and EKS recognize it by a token: they
repeat their first answer and carry out nothing. moto ignores the tokens. On a busy machine it also answers with a
server error by itself, since one of its threads changes what another reads.
"""

import io
import threading
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import partial
from wsgiref.types import StartResponse, WSGIEnvironment

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from werkzeug.wrappers import Response

from sandbox.aws.patch import patch

_TOKENS = (b"ClientToken=", b'"clientRequestToken":')
"""How a body shows that it has a token, in the APIs of EC2 and of EKS. An SDK takes a new one for every operation.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""


def as_aws_does_it(*, one_at_a_time: bool) -> None:
    """Have moto's server answer a repeated request as it did the first time, and send each answer in one piece.

    With `one_at_a_time` it ends a request before it takes the next, so that none fails because of another. That is for
    the tests: the sandbox's ACM waits for the name server, which asks moto's Route 53.
    """
    serve: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__
    turn = threading.Lock() if one_at_a_time else nullcontext()
    answers: dict[tuple[str, bytes], Response] = {}

    def call(
        self: DomainDispatcherApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        sent = body(environ)  # before its turn: a client that sends slowly holds up no other
        request = (environ["PATH_INFO"], sent)
        with turn:
            answer = answers.get(request) or Response.from_app(partial(serve, self), environ, buffered=True)
            if answer.status_code < 300 and any(token in sent for token in _TOKENS):
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
