"""What the process of every plugin does: answer the engine, and end with all that it has started."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS

_CALLS = 64
"""Calls served at once; most of them wait. By default the engine makes four per processor at a time."""
_GRACE_SECONDS = 5
"""How long calls may take to tidy up when the process ends."""


class Children:
    """The processes that a plugin has started."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[Any]] = set()
        self.cancelled = False

    @contextmanager
    def started(self, command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
        """Start one, and wait for it at the end of the block; `options` go to `subprocess.Popen`."""
        with subprocess.Popen(command, **options) as process:
            self._running.add(process)
            if self.cancelled:
                process.terminate()
            try:
                yield process
            finally:
                self._running.discard(process)

    def cancel(self) -> None:
        """End those that run and those that are started from now on."""
        self.cancelled = True
        for process in list(self._running):
            process.terminate()


def engine_address() -> str:
    """Give the address of the engine that started this process: its first argument that is no flag, or empty."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")


def serve(register: Callable[[Any], object], children: Children) -> NoReturn:
    """Print the port and answer until the engine interrupts this process or is gone.

    `register` adds the plugin's servicer to a gRPC server; `children` are ended at the end.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.default_int_handler)
    parent = os.getppid()
    calls = ThreadPoolExecutor(max_workers=_CALLS)
    server = grpc.server(calls, options=_GRPC_CHANNEL_OPTIONS)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with suppress(KeyboardInterrupt):
        # An engine that was killed leaves its plugins to another parent.
        while os.getppid() == parent and server.wait_for_termination(timeout=1):
            pass
    # Without it, a thread in a slow call would hold the engine up for as long as that lasts.
    threading.Timer(_GRACE_SECONDS, os._exit, args=[0]).start()
    children.cancel()
    server.stop(grace=_GRACE_SECONDS).wait()
    calls.shutdown()  # those of an engine that is gone are over for the server, but have yet to tidy up
    os._exit(0)
