"""A reverse HTTP proxy that reports each mutating request before the client gets the answer."""

import http.client
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit

_HOPS = {"connection", "keep-alive", "transfer-encoding"}
"""Headers that concern one connection, and are not passed on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as the client sent it."""

    method: str
    path: str
    """Includes the query."""
    headers: Mapping[str, str]
    body: bytes


Named = Callable[[Call], str | None]
"""Returns the name of a mutating request, and None for any other."""

Answered = Callable[[str], bool]
"""Called with the name of each mutating request that succeeded; returns whether the client gets the answer."""


class Silence:
    """A switch that lets a server take connections and answer none."""

    def __init__(self) -> None:
        self._over = Event()
        self._over.set()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Answer nothing until the block ends, and never what was asked in it."""
        self._over.clear()
        try:
            yield
        finally:
            self._over.set()

    def broken(self) -> bool:
        """Return True at once without a silence; otherwise wait until it is over, and return False."""
        return self._over.is_set() or not self._over.wait()


@contextmanager
def running(
    upstream: str,
    *,
    named: Named,
    answered: Answered,
    silence: Silence,
    certificate: ssl.SSLContext | None = None,
    trusted: ssl.SSLContext | None = None,
    headers: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Serve at a port of loopback, and yield the URL; `headers` override the client's own."""
    target = urlsplit(upstream)

    def connect() -> http.client.HTTPConnection:
        if target.scheme == "https":
            return http.client.HTTPSConnection(target.netloc, context=trusted)
        return http.client.HTTPConnection(target.netloc)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # A flush sends head and body in one piece. The AWS plugin has been seen to close the connection after a head
        # that came alone, and to retry: an interruption of its own.
        wbufsize = 65536

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            try:
                if silence.broken():
                    self._pass_on()
                else:
                    self.close_connection = True
            except (OSError, http.client.HTTPException):
                self.close_connection = True  # the client or the server is gone

        def _pass_on(self) -> None:
            call = Call(method=self.command, path=self.path, headers=dict(self.headers.items()), body=self._body())
            kept = {name: value for name, value in call.headers.items() if name.lower() not in _HOPS}
            connection = connect()
            try:
                connection.putrequest(call.method, call.path, skip_host=True, skip_accept_encoding=True)
                for name, value in {**kept, **(headers or {}), "Content-Length": str(len(call.body))}.items():
                    connection.putheader(name, value)
                connection.endheaders(call.body)
                answer = connection.getresponse()
                mutation = named(call)
                if mutation is None:
                    self._stream(answer)
                    return
                whole = answer.read()
                if answer.status < http.HTTPStatus.BAD_REQUEST and not answered(mutation):
                    self.close_connection = True
                    return
                self._begin(answer, {"Content-Length": str(len(whole))})
                self.wfile.write(whole)
                self.wfile.flush()
            finally:
                connection.close()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _begin(self, answer: http.client.HTTPResponse, length: Mapping[str, str]) -> None:
            self.send_response_only(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _HOPS | {"content-length"}:
                    self.send_header(name, value)
            for name, value in length.items():
                self.send_header(name, value)
            self.end_headers()

        def _stream(self, answer: http.client.HTTPResponse) -> None:
            """Pass data on as it comes: a watch has no end."""
            length = answer.getheader("Content-Length")
            if self.command == "HEAD" or length is not None or answer.status in (204, 304):
                self._begin(answer, {} if length is None else {"Content-Length": length})
                self.wfile.write(answer.read())
                self.wfile.flush()
                return
            self._begin(answer, {"Transfer-Encoding": "chunked"})
            self.wfile.flush()
            while block := answer.read1(65536):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # a watch has no end
        request_queue_size = 128

        def get_request(self):  # type: ignore[no-untyped-def]  # as the base class has it
            connection, address = super().get_request()
            if certificate:  # the handler does the handshake: a client without one blocks no other
                connection = certificate.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def handle_error(self, *_: object) -> None:
            """Ignore errors: a client that is gone is expected here."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
