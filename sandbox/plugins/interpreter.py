"""Which interpreter runs a program: the one of the virtualenv that Pulumi.yaml names."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from google.protobuf import json_format
from pulumi.runtime.proto import language_pb2

INVENTORY = Path(__file__).with_name("inventory.py")


class RuntimeOptionsError(Exception):
    """The `runtime` options of Pulumi.yaml name something that is not there or not supported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python interpreter and the environment that makes its virtualenv the active one."""

    executable: Path
    environment: dict[str, str]

    def command(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start the interpreter with these arguments; `options` go to `subprocess.Popen`."""
        return subprocess.Popen([str(self.executable), *arguments], env=self.environment, **options)

    def inventory(self, what: Literal["plugins", "packages"]) -> dict[str, Any]:
        """Ask it for its version and the plugins or the packages that it has (see inventory.py)."""
        process = self.command(str(INVENTORY), what, stdout=subprocess.PIPE)
        output, _ = process.communicate()
        if process.returncode:
            raise RuntimeOptionsError(f"{self.executable} could not list its packages (exit code {process.returncode})")
        found: dict[str, Any] = json.loads(output)
        return found


def virtualenv(info: language_pb2.ProgramInfo) -> Path | None:
    """Resolve the option `virtualenv` against the project's directory; None when the option is absent.

    Raises RuntimeOptionsError for a toolchain other than `pip` and for an unknown option.
    """
    options: dict[str, Any] = json_format.MessageToDict(info.options)
    toolchain = options.pop("toolchain", "pip")
    directory = options.pop("virtualenv", "")
    if toolchain != "pip":
        raise RuntimeOptionsError(
            f"Pulumi.yaml: runtime.options.toolchain is {toolchain!r}; this language host supports only 'pip'"
        )
    if options:
        raise RuntimeOptionsError(
            f"Pulumi.yaml: runtime.options.{min(options)} is not supported by this language host; "
            "it knows toolchain and virtualenv"
        )
    return Path(info.root_directory, directory) if directory else None


def interpreter(info: language_pb2.ProgramInfo, *, environment: dict[str, str]) -> Interpreter:
    """Choose the interpreter for a program: its virtualenv's, or the first `python3` on PATH.

    `environment` is what the host was started with. Raises RuntimeOptionsError when the virtualenv of
    Pulumi.yaml has no interpreter.
    """
    directory = virtualenv(info)
    if directory is None:
        return Interpreter(executable=Path(environment.get("PULUMI_PYTHON_CMD", "python3")), environment=environment)
    executable = directory / "bin" / "python"
    if not executable.exists():
        raise RuntimeOptionsError(
            f"Pulumi.yaml: runtime.options.virtualenv names {directory}, where there is no bin/python; "
            "`pulumi install` makes it and installs requirements.txt into it"
        )
    active = {key: value for key, value in environment.items() if key != "PYTHONHOME"}
    active |= {
        "VIRTUAL_ENV": str(directory),
        "PATH": os.pathsep.join((str(executable.parent), environment.get("PATH", ""))),
    }
    return Interpreter(executable=executable, environment=active)
