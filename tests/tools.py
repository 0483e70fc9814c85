"""The sandbox's tools, as its toolchain finds them: on PATH or in its cache, where `make toolchain` puts them."""

import shutil
import sys
from functools import cache
from pathlib import Path

from sandbox import environment, toolchain
from sandbox.layout import here


@cache
def tools() -> dict[str, Path]:
    """The path of each binary, by its name."""
    found = toolchain.find(toolchain.TOOLS, here().cache, lambda *_: None, path=environment.search_path(here()))
    return {name: path for each in found for name, path in each.binaries.items()}


def engine(folder: Path) -> None:
    """Put kubectl, Pulumi's engine, its language host and all plugins into a folder, to be put on PATH."""
    folder.mkdir(exist_ok=True)
    shutil.copy2(tools()["pulumi"], folder / "pulumi")  # it looks for its language host beside itself, links resolved
    for name in ("kubectl", "pulumi-resource-aws", "pulumi-resource-kubernetes"):
        (folder / name).symlink_to(tools()[name])
    for name, module in (
        ("pulumi-language-python", "sandbox.plugins.language"),
        ("pulumi-resource-docker", "sandbox.plugins.docker"),
        ("pulumi-resource-pulumi-python", "pulumi.dynamic"),
    ):
        script = folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u -m {module} "$@"\n')
        script.chmod(0o755)
