"""Builds from published Go modules, pinned by the go.mod and go.sum in `go/`: all that is missing of a module at once.

So what several tools share is compiled once, and every core stays busy while one of them is linked.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sandbox.toolchain import aws_provider
from sandbox.toolchain.download import Progress
from sandbox.toolchain.tools import GO, Tool

_KUBERNETES_PLUGIN = "github.com/pulumi/pulumi-kubernetes/provider/v4"

_ENVIRONMENT = {
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "CGO_ENABLED": "0",
    # A compiler lives for seconds: collecting its garbage four times less often takes a fifth off the whole.
    "GOGC": "400",
}


def build(tools: Sequence[Tool], work: Path, progress: Progress) -> Path:
    """Build the tools below the folder `work`, which is made anew; give the folder with their binaries.

    Raises subprocess.CalledProcessError, with the end of what Go said, when a fetch or the build fails, and OSError
    when a module is not what it was.
    """
    shutil.rmtree(work, ignore_errors=True)
    binaries = work / "bin"
    for module in sorted({tool.module for tool in tools}):
        own = [tool for tool in tools if tool.module == module]
        source = work / module
        shutil.copytree(GO / module, source)
        progress(f"fetching Go modules for {', '.join(tool.name for tool in own)}", 0, 0)
        _lay_out(source)
        packages = [package for tool in own for package in tool.packages]
        total = len(_go(source, "list", "-deps", *packages).splitlines())
        options = [f"-ldflags={package}=-s -w {tool.ldflags}" for tool in own for package in tool.packages]
        _watch(source, ["go", "build", "-v", "-o", f"{binaries}/", *options, *packages], total, progress)
    if (binaries / "kubernetes").exists():
        [tool] = [each for each in tools if each.name == "kubernetes"]
        for name in tool.binaries:
            (binaries / name).symlink_to("kubernetes")
    return binaries


def _lay_out(source: Path) -> None:
    """Lay beside the mains what they need of their modules and cannot import."""
    if (source / "pulumi-resource-aws").exists():
        # go.mod names the copy, so that nothing of the module can be built without it.
        aws_provider.cut(aws_provider.fetch(), source / "terraform-provider-aws")
    if (plugin := source / "pulumi-resource-kubernetes").exists():
        # What the plugin's main embeds; the module has it under another name.
        module = Path(json.loads(_go(source, "mod", "download", "-json", _KUBERNETES_PLUGIN))["Dir"])
        for name in ("schema.json", "terraform-mapping.json"):
            (plugin / name).write_text((module / "cmd/pulumi-resource-kubernetes" / name).read_text())


def _go(source: Path, *arguments: str) -> str:
    command = ["go", *arguments]
    said = subprocess.run(
        command, cwd=source, env=os.environ | _ENVIRONMENT, check=False, capture_output=True, text=True
    )
    if said.returncode:
        raise subprocess.CalledProcessError(said.returncode, shlex.join(command[:3]), stderr=said.stderr)
    return said.stdout


def _watch(source: Path, command: list[str], total: int, progress: Progress) -> None:
    """Run the build and tell its progress. It names each package that it compiles, and none that its cache has."""
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=source, env=os.environ | _ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stderr or ():
            said.append(line)
            progress("building", len(said), total)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, "go build", stderr="".join(said[-15:]))
