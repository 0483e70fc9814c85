"""An emulated AWS on loopback, in this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from moto.server import ThreadedMotoServer

from sandbox.aws import serving


@contextmanager
def aws_server() -> Iterator[str]:
    """Serve moto on a free port and yield its URL. Its data belongs to the process, and outlives the server."""
    with pytest.MonkeyPatch.context() as patched:
        # Set to what they are, so that both are restored at the end.
        patched.setattr(DomainDispatcherApplication, "__call__", DomainDispatcherApplication.__call__)
        patched.setattr(MotoRequestHandler, "wbufsize", MotoRequestHandler.wbufsize)
        serving.as_aws_does_it(one_at_a_time=True)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.stop()
