"""An HTTP or HTTPS server on loopback, in this process."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

import trustme
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler, make_server


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Log neither requests nor clients that hang up because they do not trust the certificate."""


@contextmanager
def serving(answer: Callable[[Request], Response], *, certificate: trustme.LeafCert | None = None) -> Iterator[int]:
    """Answer requests, over HTTPS if there is a certificate; yield the port."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
    if certificate and tls:
        certificate.configure_cert(tls)
    application = Request.application(answer)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet, ssl_context=tls)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
