"""What the user's own `pulumi`, `kubectl`, `docker` and `aws` need to work on the sandbox: a PATH and variables."""

import importlib.metadata
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from sandbox import toolchain
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.logins import PASSPHRASE, aws_environment

_STAND_IN = "stand-in"
"""The file beside a stand-in that tells it from an official plugin."""

STACK = "local"
"""The stack that runs on the sandbox unless another driver is asked for."""

STACKS = {"existing": STACK, "eks": "local-eks"}
"""The sandbox's stacks by the driver of their cluster."""

_NAMESPACES = {"local-eks": "eks"}
"""The namespace of a stack that does not have `default`: one API server serves them all."""

_PROVIDERS = ("aws", "docker", "kubernetes")
"""The providers that the program uses, each with a stand-in `sandbox.plugins.<name>`."""


def variables(layout: Layout) -> dict[str, str]:
    """The environment of every command that works on the sandbox, PATH included."""
    return aws_environment() | {
        "PATH": f"{layout.bin}:{os.environ['PATH']}",
        "PULUMI_HOME": str(layout.root / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{layout.root / 'stacks'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",  # what can be had is here already
        "KUBECONFIG": str(layout.kubeconfig),
        "KUBECACHEDIR": str(layout.kubectl_cache),
        "DOCKER_HOST": f"unix://{layout.docker_socket}",
        "DOCKER_CONFIG": str(layout.root / "docker"),
    }


def outer_path(layout: Layout) -> str:
    """PATH without the sandbox's own folder, which is on it in a shell that sourced `.sandbox/env`."""
    return os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != str(layout.bin))


def write(layout: Layout, tools: dict[str, Path]) -> list[str]:
    """Fill `.sandbox/bin` and the engine's plugins, write `.sandbox/env`; give back the names of the stand-ins."""
    for folder in ("stacks", "pulumi", "docker"):
        (layout.root / folder).mkdir(exist_ok=True)
    _link(layout.bin / "kubectl", tools["kubectl"])
    _link(layout.bin / "aws", Path(sys.executable).parent / "aws")
    stand_ins = _engine(layout, tools["pulumi"]) + [name for name in _PROVIDERS if not _provider(layout, name)]
    given = variables(layout)
    path = f'export PATH="{layout.bin}:$PATH"'
    exports = [f"export {name}={shlex.quote(value)}" for name, value in given.items() if name != "PATH"]
    unset = "unset AWS_PROFILE AWS_SESSION_TOKEN"
    comment = f"# To be sourced: what works on the sandbox of {layout.checkout}."
    (layout.root / "env").write_text("\n".join([comment, path, unset, *exports, ""]))
    return stand_ins


def _engine(layout: Layout, pulumi: Path) -> list[str]:
    """Put the engine into `.sandbox/bin`; give back ["python"] when the language host is the stand-in.

    The engine looks for the plugins that come with it beside its own binary, links resolved: an official
    installation has them there, a build from source has not.
    """
    if (pulumi.resolve().parent / "pulumi-language-python").exists():
        _link(layout.bin / "pulumi", pulumi)
        return []
    own = layout.bin / "pulumi"
    if not own.exists() or own.stat().st_size != pulumi.stat().st_size:
        own.unlink(missing_ok=True)
        shutil.copy2(pulumi, own)
    _script(layout.bin / "pulumi-language-python", layout, "sandbox.plugins.language")
    # The provider of pulumi.dynamic resources is part of the SDK.
    _script(layout.bin / "pulumi-resource-pulumi-python", layout, "pulumi.dynamic")
    return ["python"]


def _provider(layout: Layout, name: str) -> bool:
    """See to it that the engine finds the provider's plugin; True when that is the official one."""
    version = importlib.metadata.version(f"pulumi-{name}")
    binary, folder = f"pulumi-resource-{name}", f"resource-{name}-v{version}"
    if shutil.which(binary, path=outer_path(layout)):
        return True
    plugin = layout.root / "pulumi" / "plugins" / folder
    installed = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins" / folder
    if installed.is_dir() and not plugin.exists() and installed != plugin:
        plugin.parent.mkdir(exist_ok=True)
        plugin.symlink_to(installed)
    if not plugin.exists() and toolchain.allowed("download"):
        subprocess.run(
            [str(layout.bin / "pulumi"), "plugin", "install", "resource", name, version],
            env=os.environ | variables(layout),
            check=False,  # not to be had: then the stand-in
            capture_output=True,
        )
    if (plugin / binary).exists() and not (plugin / _STAND_IN).exists():
        return True
    plugin.mkdir(parents=True, exist_ok=True)
    (plugin / _STAND_IN).touch()
    _script(plugin / binary, layout, f"sandbox.plugins.{name}")
    return False


def select_stack(layout: Layout, stack: str) -> None:
    """Make the stack and its namespace, or select it when it is there."""
    _pulumi(layout, "stack", "select", "--create", stack)
    if stack in _NAMESPACES:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACES[stack]}}
        _run(layout, [str(layout.bin / "kubectl"), "apply", "--filename=-"], stdin=json.dumps(namespace))


def deployed(layout: Layout) -> list[str]:
    """Those of the sandbox's stacks that have been made."""
    folder = layout.root / "stacks" / ".pulumi" / "stacks"
    return [stack for stack in STACKS.values() if any(folder.glob(f"*/{stack}.json"))]


def release_abandoned_lock(layout: Layout, stack: str) -> None:
    """Release the stack when the engines that locked it were killed: nobody else would. A living one keeps it."""
    locks = list((layout.root / "stacks" / ".pulumi" / "locks").glob(f"**/{stack}/*.json"))
    if locks and not any(psutil.pid_exists(json.loads(lock.read_text())["pid"]) for lock in locks):
        _pulumi(layout, "cancel", "--yes", "--stack", stack)


def _pulumi(layout: Layout, *arguments: str) -> None:
    _run(layout, [str(layout.bin / "pulumi"), *arguments])


def _run(layout: Layout, command: list[str], *, stdin: str | None = None) -> None:
    said = subprocess.run(
        command,
        cwd=layout.checkout,
        env=os.environ | variables(layout),
        input=stdin,
        check=False,
        capture_output=True,
        text=True,
    )
    if said.returncode:
        raise SandboxError(
            f"`{' '.join([Path(command[0]).name, *command[1:]])}` failed.",
            why=said.stderr.strip() or said.stdout.strip(),
            do="When nothing else helps, `make down` and `make up` start afresh.",
        )


def _link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _script(path: Path, layout: Layout, module: str) -> None:
    search = f'PYTHONPATH="{layout.checkout}${{PYTHONPATH:+:$PYTHONPATH}}"'
    path.write_text(f'#!/bin/sh\n{search} exec "{sys.executable}" -u -m {module} "$@"\n')
    path.chmod(0o755)
