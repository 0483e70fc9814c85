"""The process of a plugin: it serves the engine, and ends its child processes when it ends."""

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
"""Concurrent calls; most of them wait. The engine makes 4 per CPU by default."""
_GRACE_SECONDS = 5
"""Seconds for calls to clean up when the process ends."""


class Children:
    """The child processes of a plugin."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[Any]] = set()
        self.cancelled = False

    @contextmanager
    def started(self, command: list[str], **options: Any) -> Iterator[subprocess.Popen[Any]]:
        """Start a process and yield it; wait for its end after the block. `options` go to `subprocess.Popen`."""
        with subprocess.Popen(command, **options) as process:
            self._running.add(process)
            if self.cancelled:
                process.terminate()
            try:
                yield process
            finally:
                self._running.discard(process)

    def cancel(self) -> None:
        """Terminate the running processes, and any started from now on."""
        self.cancelled = True
        for process in list(self._running):
            process.terminate()


def engine_address() -> str:
    """Return the address of the engine: the first argument that is not a flag, or empty."""
    return next((word for word in sys.argv[1:] if not word.startswith("-")), "")


def serve(register: Callable[[Any], object], children: Children) -> NoReturn:
    """Print the port and serve until the engine interrupts this process or is gone; then terminate `children`.

    `register` adds the plugin's servicer to a gRPC server.
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
        # When the engine is killed, its plugins get another parent.
        while os.getppid() == parent and server.wait_for_termination(timeout=1):
            pass
    # Exit in time even while a slow call runs: the engine waits for this process.
    threading.Timer(_GRACE_SECONDS, os._exit, args=[0]).start()
    children.cancel()
    server.stop(grace=_GRACE_SECONDS).wait()
    calls.shutdown()  # calls that the server has dropped still have to clean up
    os._exit(0)
