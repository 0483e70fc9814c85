"""The Python language host: what the engine starts to run a program whose runtime is `python`.

The program itself runs in a process of its own (`program.py`), under the interpreter of the virtualenv that
Pulumi.yaml names, so that what it prints reaches the user as it prints it, and the host stays free to cancel it.
Policy packs, plugins written in Python and code generation are answered UNIMPLEMENTED by gRPC itself.
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
"""Exit code by which program.py says that its error has been shown; the official executor's too."""


class Host(LanguageRuntimeServicer):
    """The engine's requests; the programs that run for them are `children`."""

    def __init__(self, engine: str, children: Children) -> None:
        """Name the engine's address, at which programs log, and where to keep what is started."""
        self._engine = engine
        self._children = children

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802, the protocol's name
        """Learn the address of the engine that attached to a host that was already running."""
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Report the SDK's version, the one whose engine this host speaks to."""
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Name the provider, in its exact version, of every installed package that says it has one."""
        # From the files themselves: to start the interpreter would take longer than all the rest.
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
        """List the installed packages; without the transitive ones, only those that no other needs."""
        command = [str(_python(request.info, context)), "-m", "pip", "list", "--format=json"]
        if not request.transitiveDependencies:
            command.append("--not-required")
        listed = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=each["name"], version=each["version"]) for each in listed]
        )

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Say which interpreter a program gets."""
        python = str(_python(request.info, context))
        said = subprocess.run([python, "--version"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return language_pb2.AboutResponse(
            executable=python, version=said.removeprefix("Python ").strip(), metadata={"toolchain": "Pip"}
        )

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Make the virtualenv if it is missing and install requirements.txt, handing on what is said."""
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

        The request goes to its process through standard input, never through arguments or environment: the
        configuration in it holds secrets, and those are open to `ps`.
        """
        python = _python(request.info, context)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"} | {
            "VIRTUAL_ENV": str(python.parent.parent),
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        }
        # -P: the program must not find the neighbours of program.py.
        command = [str(python), "-u", "-P", str(_PROGRAM), self._engine]
        with self._children.started(
            command, env=environment, stdin=subprocess.PIPE, cwd=request.pwd or None
        ) as process:
            context.add_callback(process.terminate)  # the engine went away
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
        """Interrupt the programs that run; each ends without a message of its own."""
        self._children.cancel()
        return empty_pb2.Empty()


def _virtualenv(info: Any, context: Any) -> Path:
    """Resolve the virtualenv that Pulumi.yaml names; end the call when it names none or another option."""
    options = {"toolchain": "pip", "virtualenv": ""} | json_format.MessageToDict(info.options)
    other = sorted(options.keys() - {"toolchain", "virtualenv"})
    reason = ""
    if other:
        reason = f"{other[0]} is not supported by this language host; it knows toolchain and virtualenv"
    elif options["toolchain"] != "pip":
        reason = f"toolchain is {options['toolchain']!r}; this language host supports only 'pip'"
    elif not options["virtualenv"]:
        reason = "virtualenv is missing; this language host runs no program outside of one"
    if reason:
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Pulumi.yaml: runtime.options.{reason}")
    return Path(info.root_directory, options["virtualenv"])


def _python(info: Any, context: Any) -> Path:
    """Give the virtualenv's interpreter; end the call when there is none."""
    python = _virtualenv(info, context) / "bin/python"
    if not python.exists():
        reason = f"there is no {python}; `pulumi install` makes it and installs requirements.txt into it"
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"Pulumi.yaml: runtime.options.virtualenv: {reason}")
    return python


if __name__ == "__main__":
    children = Children()
    host = Host(engine_address(), children)
    serve(partial(language_pb2_grpc.add_LanguageRuntimeServicer_to_server, host), children)
