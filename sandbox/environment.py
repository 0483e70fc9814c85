"""What the user's own `pulumi`, `kubectl`, `docker` and `aws` need to work on the sandbox: a PATH and variables."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from sandbox import toolchain
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.logins import PASSPHRASE, aws_environment
from sandbox.toolchain import ENGINE, Found, Tool

STACK = "local"
"""The stack that runs on the sandbox unless another driver is asked for."""

STACKS = {"existing": STACK, "eks": "local-eks"}
"""The sandbox's stacks by the driver of their cluster."""

_NAMESPACES = {"local-eks": "eks"}
"""The namespace of a stack that does not have `default`: one API server serves them all."""

_STAND_IN = "a stand-in of the embedded cloud"

AWS_WAIT = 200
"""Milliseconds that the AWS plugin waits at most between two looks: AWS of the sandbox answers at once. The official
plugin knows no such limit, and waits as long as is right for AWS."""


def variables(layout: Layout) -> dict[str, str]:
    """The environment of every command that works on the sandbox, PATH included."""
    return aws_environment() | {
        "PATH": f"{layout.bin}:{os.environ['PATH']}",
        "PULUMI_HOME": str(layout.root / "pulumi"),
        # Without the files beside each state that a killed engine leaves empty, and that nobody can read then.
        "PULUMI_BACKEND_URL": f"file://{layout.root / 'stacks'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",  # what can be had is here already
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",  # what runs is what `make status` names, whatever is on PATH
        toolchain.AWS_WAIT: str(AWS_WAIT),
        "KUBECONFIG": str(layout.kubeconfig),
        "KUBECACHEDIR": str(layout.kubectl_cache),
        "DOCKER_HOST": f"unix://{layout.docker_socket}",
        "DOCKER_CONFIG": str(layout.root / "docker"),
    }


def outer_path(layout: Layout) -> str:
    """PATH without the sandbox's own folder, which is on it in a shell that sourced `.sandbox/env`."""
    return os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != str(layout.bin))


def search_path(layout: Layout) -> str:
    """Where tools are looked for: where the user's own engine keeps its plugins, and on PATH."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    if home == layout.root / "pulumi":  # in a shell that sourced `.sandbox/env`
        return outer_path(layout)
    wanted = [home / "plugins" / tool.folder for tool in (*toolchain.TOOLS, toolchain.DOCKER_PLUGIN)]
    # The engine marks a folder that it has not filled yet by a file beside it.
    whole = [str(each) for each in wanted if each.is_dir() and not each.with_name(f"{each.name}.partial").exists()]
    return os.pathsep.join([*whole, outer_path(layout)])


def write(layout: Layout, tools: Sequence[Found]) -> None:
    """Fill `.sandbox/bin` and the engine's plugins, and write `.sandbox/env`."""
    for folder in ("stacks", "pulumi", "docker"):
        (layout.root / folder).mkdir(exist_ok=True)
    found = {each.tool.name: each for each in tools}
    link(layout.bin / "kubectl", found["kubernetes"].binaries["kubectl"])
    link(layout.bin / "aws", Path(sys.executable).parent / "aws")
    about = {name: _plugin(layout, found[f"pulumi-{name}"]) for name in ("resource-aws", "resource-kubernetes")}
    about |= _engine(layout, found["pulumi"])
    (layout.root / "plugins.json").write_text(json.dumps(about))
    given = variables(layout)
    path = f'export PATH="{layout.bin}:$PATH"'
    exports = [f"export {name}={shlex.quote(value)}" for name, value in given.items() if name != "PATH"]
    unset = "unset AWS_PROFILE AWS_SESSION_TOKEN"
    comment = f"# To be sourced: what works on the sandbox of {layout.checkout}."
    (layout.root / "env").write_text("\n".join([comment, path, unset, *exports, ""]))


def plugins(layout: Layout) -> dict[str, str]:
    """Which plugins the engine runs, by name: the version of each, and what it is."""
    about: dict[str, str] = json.loads((layout.root / "plugins.json").read_text())
    return about


def _engine(layout: Layout, pulumi: Found) -> dict[str, str]:
    """Put the engine into `.sandbox/bin`; say which language host it has, and which plugin for docker.

    The engine looks for its language host beside its own binary, links resolved: an official installation has it
    there, a build has not. The plugin for docker is fetched for an official engine alone: where that could not be
    had, neither can the plugin.
    """
    binary, own = pulumi.binaries["pulumi"], layout.bin / "pulumi"
    own.unlink(missing_ok=True)
    if (binary.resolve().parent / "pulumi-language-python").exists():
        link(own, binary)
        official = f"{ENGINE}, official, beside the engine"
        try:
            cache, path = layout.cache, search_path(layout)
            [docker] = toolchain.find([toolchain.DOCKER_PLUGIN], cache, lambda *_: None, path=path)
            return {"resource-docker": _plugin(layout, docker), "language-python": official}
        except SandboxError:
            if not toolchain.allowed("build"):
                raise
            return {"resource-docker": _docker_stand_in(layout), "language-python": official}
    try:
        os.link(binary, own)  # a copy, where the cache is on another disk
    except OSError:
        shutil.copy2(binary, own)
    _script(layout.bin / "pulumi-language-python", layout, "sandbox.plugins.language")
    # The provider of pulumi.dynamic resources is part of the SDK.
    _script(layout.bin / "pulumi-resource-pulumi-python", layout, "pulumi.dynamic")
    return {"resource-docker": _docker_stand_in(layout), "language-python": f"{ENGINE}, {_STAND_IN}"}


def _plugin(layout: Layout, found: Found) -> str:
    """Put a plugin where the engine looks for the version that the SDK asks for; say what it is."""
    [(name, binary)] = found.binaries.items()
    link(_plugin_folder(layout, found.tool) / name, binary)
    what = {
        "path": f"from {binary.parent}",
        "download": "official, downloaded",
        "build": f"built: {found.tool.about}",
    }
    return f"{found.tool.version.removeprefix('v')}, {what[found.source]}"


def _docker_stand_in(layout: Layout) -> str:
    tool = toolchain.DOCKER_PLUGIN
    _script(_plugin_folder(layout, tool) / tool.name, layout, "sandbox.plugins.docker")
    return f"{tool.version.removeprefix('v')}, {_STAND_IN}"


def _plugin_folder(layout: Layout, tool: Tool) -> Path:
    folder = layout.root / "pulumi" / "plugins" / tool.folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


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


def link(path: Path, target: Path) -> None:
    """Make a link, in the place of whatever is there."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _script(path: Path, layout: Layout, module: str) -> None:
    path.unlink(missing_ok=True)  # never through a link into somebody else's files
    search = f'PYTHONPATH="{layout.checkout}${{PYTHONPATH:+:$PYTHONPATH}}"'
    path.write_text(f'#!/bin/sh\n{search} exec "{sys.executable}" -u -m {module} "$@"\n')
    path.chmod(0o755)
