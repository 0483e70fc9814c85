"""What the user's own `pulumi`, `kubectl`, `docker` and `aws` need to work on the sandbox: a PATH and variables."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox.layout import Layout
from sandbox.services import aws_environment

PASSPHRASE = "local-only"
"""What the secrets of the stack `local` are encrypted with: public, as they are made for one machine."""

STACK = "local"
"""The stack that runs on the sandbox."""

_PLUGINS = {
    "pulumi-language-python": "sandbox.plugins.language",
    "pulumi-resource-aws": "sandbox.plugins.aws",
    "pulumi-resource-docker": "sandbox.plugins.docker",
    "pulumi-resource-kubernetes": "sandbox.plugins.kubernetes",
}
"""The stand-ins by the name under which the engine looks for the official plugin."""


def variables(layout: Layout) -> dict[str, str]:
    """The environment of every command that works on the sandbox, PATH included."""
    return aws_environment() | {
        "PATH": f"{layout.bin}:{os.environ['PATH']}",
        "PULUMI_HOME": str(layout.root / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{layout.root / 'stacks'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "KUBECONFIG": str(layout.kubeconfig),
        "DOCKER_HOST": f"unix://{layout.docker_socket}",
        "DOCKER_CONFIG": str(layout.root / "docker"),
    }


def write(layout: Layout, tools: dict[str, Path]) -> dict[str, str]:
    """Fill `.sandbox/bin`, write `.sandbox/env`, and give back which plugin is official and which a stand-in."""
    for folder in ("stacks", "pulumi", "docker"):
        (layout.root / folder).mkdir(exist_ok=True)
    for name in ("pulumi", "kubectl"):
        _link(layout.bin / name, tools[name])
    aws = Path(sys.executable).parent / "aws"
    if aws.exists():
        _link(layout.bin / "aws", aws)
    chosen = {}
    for name, module in _PLUGINS.items():
        official = _official(name, tools["pulumi"])
        chosen[name] = str(official) if official else "stand-in"
        if official:
            (layout.bin / name).unlink(missing_ok=True)
        else:
            _script(
                layout.bin / name,
                f'PYTHONPATH="{layout.checkout}" exec "{sys.executable}" -u -m {module} "$@"',
            )
    if _official("pulumi-resource-pulumi-python", tools["pulumi"]) is None:
        # The provider of pulumi.dynamic resources: part of the SDK, started in the program's own interpreter.
        _script(
            layout.bin / "pulumi-resource-pulumi-python", f'exec "{sys.executable}" -u -m pulumi.dynamic "$@"'
        )
    lines = [
        f"export {name}={shlex.quote(value)}" for name, value in variables(layout).items() if name != "PATH"
    ]
    (layout.root / "env").write_text(
        f'# To be sourced: what works on the sandbox of {layout.checkout}.\nexport PATH="{layout.bin}:$PATH"\n'
        "unset AWS_PROFILE AWS_SESSION_TOKEN\n" + "\n".join(lines) + "\n"
    )
    return chosen


def select_stack(layout: Layout) -> None:
    """Make the stack `local`, or select it when it is there."""
    subprocess.run(
        [str(layout.bin / "pulumi"), "stack", "select", "--create", STACK],
        cwd=layout.checkout,
        env=os.environ | variables(layout),
        check=True,
        capture_output=True,
    )


def _official(name: str, pulumi: Path) -> Path | None:
    """The official plugin of that name: beside the engine, on PATH, or among the user's installed plugins."""
    beside = pulumi.resolve().parent / name
    if beside.exists():
        return beside
    found = shutil.which(name)
    if found and ".sandbox" not in Path(found).parts:
        return Path(found)
    return None


def _link(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _script(path: Path, command: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{command}\n")
    path.chmod(0o755)
