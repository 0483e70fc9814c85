"""The Python language host: the engine starts it to run a program whose runtime is `python`.

The program runs in its own process (`program.py`), with the interpreter of the virtualenv in Pulumi.yaml. So its output
reaches the user at once, and the host can cancel it. gRPC itself answers UNIMPLEMENTED to policy packs, plugins written
in Python and code generation.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, language_pb2_grpc, plugin_pb2

from sandbox.plugins.process import Children, engine_address, serve

_PROGRAM = Path(__file__).with_name("program.py")
_SHOWN = 32
"""program.py's exit code when it has shown its error already, as the official executor's."""


class Host(LanguageRuntimeServicer):
    """Serves the engine's requests."""

    def __init__(self, engine: str, children: Children) -> None:
        """Take the engine's address, to which programs log, and the `children` among which they run."""
        self._engine = engine
        self._children = children

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, the protocol's name
        """Take the address of an engine that attaches to a running host."""
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the SDK's version, which is the engine's too."""
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the provider plugin, with its exact version, of every installed package that declares one."""
        # Read the files: starting the interpreter would take longer than everything else.
        installed = _virtualenv(request.info, context).glob("lib/python3*/site-packages/*/pulumi-plugin.json")
        found = [json.loads(file.read_text()) for file in sorted(installed)]
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    kind="resource",
                    name=each["name"],
                    version="v" + each["version"].removeprefix("v"),
                    server=each.get("server", ""),
                )
                for each in found
                if each.get("resource")
            ]
        )

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the installed packages; unless transitive ones are requested, only those no other package needs."""
        command = [str(_python(request.info, context)), "-m", "pip", "list", "--format=json"]
        if not request.transitiveDependencies:
            command.append("--not-required")
        listed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=each["name"], version=each["version"]) for each in listed]
        )

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Return the interpreter that runs programs, and its version."""
        python = str(_python(request.info, context))
        said = subprocess.run([python, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return language_pb2.AboutResponse(
            executable=python, version=said.removeprefix("Python ").strip(), metadata={"toolchain": "Pip"}
        )

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Make the virtualenv if it is missing, install requirements.txt, and stream the output."""
        directory = _virtualenv(request.info, context)
        python, requirements = directory / "bin/python", Path(request.info.program_directory, "requirements.txt")
        steps = [] if python.exists() else [[sys.executable, "-m", "venv", str(directory)]]
        if requirements.exists():
            steps.append([str(python), "-m", "pip", "install", "-r", str(requirements)])
        for command in steps:
            with self._children.started(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
                for line in process.stdout or ():
                    yield language_pb2.InstallDependenciesResponse(stdout=line)
            if process.returncode:
                reason = f"`{' '.join(command)}` ended with exit code {process.returncode}"
                context.abort(grpc.StatusCode.INTERNAL, reason)

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run the program to its end.

        Its process gets the request on standard input: the configuration has secrets, and other users can read
        arguments and environment with `ps`.
        """
        python = _python(request.info, context)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"} | {
            "VIRTUAL_ENV": str(python.parent.parent),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        }
        # -P: the program must not import modules from the folder of program.py.
        command = [str(python), "-u", "-P", str(_PROGRAM), self._engine]
        with self._children.started(
            command, env=environment, stdin=subprocess.PIPE, cwd=request.pwd or None
        ) as process:
            context.add_callback(process.terminate)  # when the call ends, as when the engine is gone
            process.communicate(request.SerializeToString())
        if process.returncode == 0:
            return language_pb2.RunResponse()
        if process.returncode == _SHOWN or self._children.cancelled:
            return language_pb2.RunResponse(bail=True)
        if process.returncode < 0:
            name = signal.Signals(-process.returncode).name
            return language_pb2.RunResponse(error=f"the program was ended by {name}")
        return language_pb2.RunResponse(error=f"the program ended with exit code {process.returncode}")

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Interrupt the running programs; they end without a message."""
        self._children.cancel()
        return empty_pb2.Empty()


def _virtualenv(info: Any, context: Any) -> Path:
    """Return the virtualenv in Pulumi.yaml. Aborts the call when there is none, and for unknown options."""
    options = {"toolchain": "pip", "virtualenv": ""} | json_format.MessageToDict(info.options)
    other = sorted(options.keys() - {"toolchain", "virtualenv"})
    reason = ""
    if other:
        reason = f"{other[0]} is not supported; this language host takes toolchain and virtualenv"
    elif options["toolchain"] != "pip":
        reason = f"toolchain is {options['toolchain']!r}; this language host supports only 'pip'"
    elif not options["virtualenv"]:
        reason = "virtualenv is missing; this language host runs programs only in one"
    if reason:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Pulumi.yaml: runtime.options.{reason}")
    return Path(info.root_directory, options["virtualenv"])


def _python(info: Any, context: Any) -> Path:
    """Return the virtualenv's interpreter. Aborts the call when there is none."""
    python = _virtualenv(info, context) / "bin/python"
    if not python.exists():
        reason = f"there is no {python}; `pulumi install` makes it and installs requirements.txt into it"
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Pulumi.yaml: runtime.options.virtualenv: {reason}")
    return python


if __name__ == "__main__":
    children = Children()
    host = Host(engine_address(), children)
    serve(partial(language_pb2_grpc.add_LanguageRuntimeServicer_to_server, host), children)
