"""Builds tools from published Go modules, pinned by the go.mod and go.sum files in `go/`.

All missing tools of a module are built together: shared packages compile once, and no core waits during a link.
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
    # Each compiler runs for seconds. Collecting its garbage four times less often shortens the build by a fifth.
    "GOGC": "400",
}


def build(tools: Sequence[Tool], work: Path, progress: Progress) -> Path:
    """Build the tools in the folder `work`, which is emptied first, and return the folder with the binaries.

    Raise subprocess.CalledProcessError, with the end of Go's output, if a download or the build fails, and OSError if
    a module has another checksum.
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
    """Copy what the main packages need from their modules and cannot import."""
    if (source / "pulumi-resource-aws").exists():
        # go.mod names the copy: without it, nothing in this module can be built.
        aws_provider.cut(aws_provider.fetch(), source / "terraform-provider-aws")
    if (plugin := source / "pulumi-resource-kubernetes").exists():
        # The files that the plugin's main package embeds. The module has them in another folder.
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
    """Run the build and report its progress. Go names each package that it compiles, and none from its cache."""
    said: list[str] = []
    with subprocess.Popen(
        command, cwd=source, env=os.environ | _ENVIRONMENT, stderr=subprocess.PIPE, text=True
    ) as running:
        for line in running.stderr or ():
            said.append(line)
            progress("building", len(said), total)
    if running.returncode:
        raise subprocess.CalledProcessError(running.returncode, "go build", stderr="".join(said[-15:]))
