"""An emulated AWS on loopback, in this process."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from moto.server import ThreadedMotoServer
from werkzeug.wrappers import Response

from sandbox.aws import serving
from sandbox.aws.patch import patch


@contextmanager
def aws_server() -> Iterator[str]:
    """Serve moto on a free port and yield its URL. Its data belongs to the process, and outlives the server."""
    with pytest.MonkeyPatch.context() as patched:
        # Set to what they are, so that both are restored at the end.
        patched.setattr(DomainDispatcherApplication, "__call__", DomainDispatcherApplication.__call__)
        patched.setattr(MotoRequestHandler, "wbufsize", MotoRequestHandler.wbufsize)
        one_request_at_a_time()
        serving.as_aws_does_it()
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.stop()


def one_request_at_a_time() -> None:
    """Have moto's server end a request before it takes the next. Call it before `serving.as_aws_does_it`.

    That reads a request's body before its turn, so that a client that sends slowly holds up no other.
    On a busy machine moto answers with server errors, since one of its threads changes what another reads. The sandbox
    has to bear that: its ACM waits for the name server, which asks moto's Route 53.
    """
    serve: Callable[..., Iterable[bytes]] = DomainDispatcherApplication.__call__
    turn = threading.Lock()

    def call(
        self: DomainDispatcherApplication, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        with turn:
            answer = Response.from_app(partial(serve, self), environ, buffered=True)
        return answer(environ, start_response)

    patch(DomainDispatcherApplication, "__call__", call)
