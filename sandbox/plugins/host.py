"""Runs a stand-in as the engine runs any provider plugin: over gRPC, every call in a thread of its own.

A stand-in describes itself with `sandbox.plugins.resource.Plugin` and calls `main(plugin)`. Underneath is the
SDK's generated protocol, not its `pulumi.provider.experimental` host: there, no property can be unknown,
Diff does not get the old inputs (without which an input taken out cannot be told from one that the service
filled in), and nothing can say that a resource exists but did not become ready.
"""

import os
import signal
import sys
from concurrent import futures
from typing import Any

import grpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.plugins.resource import Plugin
from sandbox.plugins.servicer import Servicer
from sandbox.plugins.status import ErrorsAsStatus

WORKERS = 64
"""Calls served at once; most of them wait. By default the engine makes four per processor at a time."""


def serve(servicer: Servicer) -> tuple[Any, int]:
    """Start to answer on a free loopback port; give the gRPC server and the port."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=WORKERS),
        interceptors=[ErrorsAsStatus()],
        options=_GRPC_CHANNEL_OPTIONS,
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main(plugin: Plugin) -> None:
    """Run the plugin's process: print the port, serve until the engine interrupts it or is gone.

    The engine's address is the first argument that is no flag; without one, the plugin waits to be attached.
    """
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before any thread starts: all inherit it
    parent = os.getppid()
    engine = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    server, port = serve(Servicer(plugin, engine=engine))
    print(port, flush=True)
    while os.getppid() == parent and signal.sigtimedwait(signals, 1) is None:
        pass  # an engine that was killed leaves its plugins to another parent
    server.stop(grace=None)
    os._exit(0)  # a thread inside a slow call would otherwise hold the engine up for as long as that lasts
