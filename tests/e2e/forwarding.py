"""The sandbox's API server where no kubeconfig of the sandbox's leads to."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sandbox import addresses


@contextmanager
def another_address() -> Iterator[str]:
    """The API server at another address: what comes there is passed on."""

    def carry(near: socket.socket) -> None:
        """Until either end has no more to say."""
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
            except OSError:  # closed: the end
                return
            threading.Thread(target=carry, args=(near,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
