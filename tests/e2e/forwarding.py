"""The sandbox's API server at an address that no kubeconfig of the sandbox has."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sandbox import addresses


@contextmanager
def another_address() -> Iterator[str]:
    """Forward connections from a free port of loopback to the API server; yield its URL there."""

    def carry(near: socket.socket) -> None:
        """Pass data on in both directions until either end closes."""
        far = socket.create_connection((addresses.NODE_ADDRESS, 6443))
        with near, far, selectors.DefaultSelector() as ready, suppress(ConnectionError):
            for source, sink in ((near, far), (far, near)):
                ready.register(source, selectors.EVENT_READ, sink)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # a socket
                    if not data:
                        return
                    key.data.sendall(data)

    def serve() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:  # the listener is closed
                return
            threading.Thread(target=carry, args=(near,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
