"""The Python language host: what the engine starts to run a program whose runtime is `python`.

Run as `python -u -m sandbox.plugins.language [flags] ENGINE_ADDRESS`, the way the engine calls every
language plugin. It prints the port of its gRPC server as the first line and stays until the engine
interrupts it or is gone. The program itself runs in a process of its own (`program.py`), under the
interpreter of the virtualenv that Pulumi.yaml names, so that what it prints reaches the user as it
prints it, and so that the host stays free to cancel it.

Only the `pip` toolchain is offered; another one is refused by name. Policy packs, plugins written in
Python and code generation are answered UNIMPLEMENTED by gRPC itself.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from sandbox.plugins.interpreter import Interpreter, RuntimeOptionsError, interpreter, virtualenv

#: Exit code by which the program's process says that it has already shown its error to the user. The
#: official executor uses the same number.
BAIL = 32
PROGRAM = Path(__file__).with_name("program.py")


class Host(LanguageRuntimeServicer):
    """The engine's requests, answered for one engine at `engine_address`."""

    def __init__(self, *, engine_address: str, environment: dict[str, str]) -> None:
        """Take the engine's address and the environment that programs are to inherit."""
        self._engine_address = engine_address
        self._environment = environment
        self._programs: set[subprocess.Popen[bytes]] = set()
        self._cancelled = False

    def _interpreter(self, info: language_pb2.ProgramInfo, context: grpc.ServicerContext) -> Interpreter:
        try:
            return interpreter(info, environment=self._environment)
        except RuntimeOptionsError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            raise  # never reached: abort raises

    def Handshake(self, request: language_pb2.LanguageHandshakeRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Learn the engine's address when the engine attached to a host that was already running."""
        self._engine_address = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Report the SDK's version, the one whose engine this host speaks to."""
        from importlib.metadata import version

        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def GetRequiredPackages(  # noqa: N802
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> Any:
        """Name the provider, in its exact version, of every installed package that says it has one."""
        plugins = self._interpreter(request.info, context).inventory("plugins")["plugins"]
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    kind="resource",
                    name=plugin["name"],
                    version="v" + plugin["version"].removeprefix("v"),
                    server=plugin.get("server", ""),
                )
                for plugin in plugins
            ]
        )

    def GetProgramDependencies(  # noqa: N802
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> Any:
        """List the installed distributions; without the transitive ones, only those nobody requires."""
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[
                language_pb2.DependencyInfo(name=package["name"], version=package["version"])
                for package in self._interpreter(request.info, context).inventory("packages")["packages"]
                if request.transitiveDependencies or not package["required"]
            ]
        )

    def About(self, request: language_pb2.AboutRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Say which interpreter and which pip a program would get."""
        chosen = self._interpreter(request.info, context)
        found = chosen.inventory("plugins")
        return language_pb2.AboutResponse(
            executable=str(chosen.executable),
            version=found["python"],
            metadata={"toolchain": "Pip", "toolchainVersion": found["pip"], "typechecker": "None"},
        )

    def RuntimeOptionsPrompts(  # noqa: N802
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> Any:
        """Ask nothing: there is one toolchain, and a virtualenv is optional."""
        return language_pb2.RuntimeOptionsResponse()

    def InstallDependencies(  # noqa: N802
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Make the virtualenv if it is missing and install requirements.txt, handing on pip's output."""
        steps = []
        try:
            directory = virtualenv(request.info)
        except RuntimeOptionsError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        if directory is not None and not (directory / "bin" / "python").exists():
            steps.append((Path(sys.executable), ["-m", "venv", str(directory)]))
        python = directory / "bin" / "python" if directory else Path("python3")
        requirements = Path(request.info.program_directory, "requirements.txt")
        if requirements.exists():
            steps.append((python, ["-m", "pip", "install", "-r", str(requirements)]))
        for executable, arguments in steps:
            process = Interpreter(executable=executable, environment=self._environment).command(
                *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            for line in process.stdout or ():
                yield language_pb2.InstallDependenciesResponse(stdout=line)
            if code := process.wait():
                context.abort(
                    grpc.StatusCode.INTERNAL,
                    f"{executable} {' '.join(arguments)} ended with exit code {code}",
                )

    def Run(self, request: language_pb2.RunRequest, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Run the program to its end.

        The request goes to the program's process through its standard input, never through its
        arguments or environment: the configuration in it holds secrets, and those are open to `ps`.
        """
        process = self._interpreter(request.info, context).command(
            "-u", str(PROGRAM), stdin=subprocess.PIPE, cwd=request.pwd or None
        )
        self._programs.add(process)
        context.add_callback(lambda: _interrupt(process))
        message = json_format.MessageToDict(request, preserving_proto_field_name=True)
        process.communicate(json.dumps(message | {"engine_address": self._engine_address}).encode())
        self._programs.discard(process)
        if process.returncode == 0:
            return language_pb2.RunResponse()
        if process.returncode == BAIL or self._cancelled:
            return language_pb2.RunResponse(bail=True)
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            return language_pb2.RunResponse(error=f"the program was ended by {name}")
        return language_pb2.RunResponse(error=f"the program ended with exit code {process.returncode}")

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:  # noqa: N802
        """Interrupt the programs that run; each ends without a message of its own."""
        self._cancelled = True
        for process in list(self._programs):
            _interrupt(process)
        return empty_pb2.Empty()


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)


def _stop(*_: object) -> NoReturn:
    # Not sys.exit: it would wait for the threads of requests that nobody reads any more.
    os._exit(0)


def main() -> None:
    """Serve until interrupted, or until the engine that started this process is gone."""
    engine = os.getppid()
    server = grpc.server(ThreadPoolExecutor())
    host = Host(engine_address=sys.argv[-1] if len(sys.argv) > 1 else "", environment=dict(os.environ))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    print(port, flush=True)

    def outlive_no_engine() -> None:
        while os.getppid() == engine:
            time.sleep(1)
        _stop()

    threading.Thread(target=outlive_no_engine, daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
