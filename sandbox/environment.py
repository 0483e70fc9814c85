"""The PATH and variables with which `pulumi`, `kubectl`, `docker` and `aws` work on the sandbox."""

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
from sandbox.services.containers import DOCKER
from sandbox.toolchain import ENGINE, Found, Tool

STACK = "local"
"""The default stack on the sandbox."""

STACKS = {"existing": STACK, "eks": "local-eks"}
"""The sandbox's stacks, by the driver of their cluster."""

_STAND_IN = "a stand-in of the embedded cloud"

AWS_WAIT = 200
"""The AWS plugin's longest wait between two polls, in milliseconds: the sandbox's AWS answers at once. The official
plugin ignores it and waits as long as is right for AWS."""


def variables(layout: Layout) -> dict[str, str]:
    """Return the environment, PATH included, of commands that work on the sandbox."""
    return aws_environment() | {
        "PATH": f"{layout.bin}:{os.environ['PATH']}",
        "PULUMI_HOME": str(layout.root / "pulumi"),
        # Without metadata files beside the states: a killed engine leaves them empty, and later runs cannot read them.
        "PULUMI_BACKEND_URL": f"file://{layout.root / 'stacks'}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",  # all available plugins are installed already
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",  # run the plugins that `make status` shows, not those on PATH
        toolchain.AWS_WAIT: str(AWS_WAIT),
        "KUBECONFIG": str(layout.kubeconfig),
        "KUBECACHEDIR": str(layout.kubectl_cache),
        "DOCKER_HOST": f"unix://{layout.docker_socket}",
        "DOCKER_CONFIG": str(layout.root / "docker"),
    }


def outer_path(layout: Layout) -> str:
    """Return PATH without the sandbox's own folder, which a shell that sourced `.sandbox/env` has on it."""
    return os.pathsep.join(each for each in os.environ["PATH"].split(os.pathsep) if each != str(layout.bin))


def search_path(layout: Layout) -> str:
    """Return the path on which tools are looked for: the plugin folders of the user's own engine, then PATH."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    if home == layout.root / "pulumi":  # in a shell that sourced `.sandbox/env`
        return outer_path(layout)
    wanted = [home / "plugins" / tool.folder for tool in (*toolchain.TOOLS, toolchain.DOCKER_PLUGIN)]
    # The engine marks an incomplete folder with a `.partial` file beside it.
    whole = [str(each) for each in wanted if each.is_dir() and not each.with_name(f"{each.name}.partial").exists()]
    return os.pathsep.join([*whole, outer_path(layout)])


def write(layout: Layout, tools: Sequence[Found]) -> None:
    """Link the tools into `.sandbox/bin` and the engine's plugin folder, and write `.sandbox/env`."""
    for folder in ("stacks", "pulumi", "docker"):
        (layout.root / folder).mkdir(exist_ok=True)
    found = {each.tool.name: each for each in tools}
    link(layout.bin / "kubectl", found["kubernetes"].binaries["kubectl"])
    link(layout.bin / "aws", Path(sys.executable).parent / "aws")
    _docker(layout)
    about = {name: _plugin(layout, found[f"pulumi-{name}"]) for name in ("resource-aws", "resource-kubernetes")}
    about |= _engine(layout, found["pulumi"])
    (layout.root / "plugins.json").write_text(json.dumps(about))
    given = variables(layout)
    path = f'export PATH="{layout.bin}:$PATH"'
    exports = [f"export {name}={shlex.quote(value)}" for name, value in given.items() if name != "PATH"]
    unset = "unset AWS_PROFILE AWS_SESSION_TOKEN"
    comment = f"# Source this file to work on the sandbox of {layout.checkout}."
    (layout.root / "env").write_text("\n".join([comment, path, unset, *exports, ""]))


def _docker(layout: Layout) -> None:
    """Make docker's command line trust the sandbox's authority: some commands ask registries without the daemon."""
    script = layout.bin / "docker"
    script.unlink(missing_ok=True)
    script.write_text(f'#!/bin/sh\nSSL_CERT_FILE={shlex.quote(str(layout.ca))} exec {DOCKER} "$@"\n')
    script.chmod(0o755)


def plugins(layout: Layout) -> dict[str, str]:
    """Return the version and origin of each of the engine's plugins, by name."""
    about: dict[str, str] = json.loads((layout.root / "plugins.json").read_text())
    return about


def _engine(layout: Layout, pulumi: Found) -> dict[str, str]:
    """Put the engine into `.sandbox/bin`; return the version and origin of its language host and docker plugin.

    The engine looks for its language host beside its own binary, links resolved: an official installation has it
    there, a build has not. The docker plugin is downloaded only for an official engine: where that could not be
    downloaded, neither can the plugin.
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
        os.link(binary, own)  # fails when the cache is on another disk
    except OSError:
        shutil.copy2(binary, own)
    _script(layout.bin / "pulumi-language-python", layout, "sandbox.plugins.language")
    # The provider of pulumi.dynamic resources is part of the SDK.
    _script(layout.bin / "pulumi-resource-pulumi-python", layout, "pulumi.dynamic")
    return {"resource-docker": _docker_stand_in(layout), "language-python": f"{ENGINE}, {_STAND_IN}"}


def _plugin(layout: Layout, found: Found) -> str:
    """Link a plugin where the engine looks for this version; return its version and origin."""
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
    """Select the stack, and create it if it does not exist."""
    _pulumi(layout, "stack", "select", "--create", stack)


def deployed(layout: Layout) -> list[str]:
    """Return the names of the sandbox's stacks that have a state."""
    folder = layout.root / "stacks" / ".pulumi" / "stacks"
    return [stack for stack in STACKS.values() if any(folder.glob(f"*/{stack}.json"))]


def release_abandoned_lock(layout: Layout, stack: str) -> None:
    """Release the stack's lock if every engine that holds one was killed. A running engine keeps it."""
    locks = list((layout.root / "stacks" / ".pulumi" / "locks").glob(f"**/{stack}/*.json"))
    if locks and not any(psutil.pid_exists(json.loads(lock.read_text())["pid"]) for lock in locks):
        _pulumi(layout, "cancel", "--yes", "--stack", stack)


def _pulumi(layout: Layout, *arguments: str) -> None:
    said = subprocess.run(
        [str(layout.bin / "pulumi"), *arguments],
        cwd=layout.checkout,
        env=os.environ | variables(layout),
        check=False,
        capture_output=True,
        text=True,
    )
    if said.returncode:
        raise SandboxError(
            f"`pulumi {' '.join(arguments)}` failed.",
            why=said.stderr.strip() or said.stdout.strip(),
            do="If nothing else helps, start again from nothing: `make down`, then `make up`.",
        )


def link(path: Path, target: Path) -> None:
    """Make a link, replacing what is there."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _script(path: Path, layout: Layout, module: str) -> None:
    path.unlink(missing_ok=True)  # do not write through an old link
    search = f'PYTHONPATH="{layout.checkout}${{PYTHONPATH:+:$PYTHONPATH}}"'
    path.write_text(f'#!/bin/sh\n{search} exec "{sys.executable}" -u -m {module} "$@"\n')
    path.chmod(0o755)
