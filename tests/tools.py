"""Finds the sandbox's tools with its toolchain: on PATH, or in the cache that `make toolchain` fills."""

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from sandbox import environment, toolchain
from sandbox.layout import here


@cache
def tools() -> dict[str, Path]:
    """Return the path of each binary by its name."""
    found = toolchain.find(toolchain.TOOLS, here().cache, lambda *_: None, path=environment.search_path(here()))
    return {name: path for each in found for name, path in each.binaries.items()}


def engine(folder: Path) -> None:
    """Put kubectl, Pulumi's engine, its language host and all plugins into a folder for PATH."""
    folder.mkdir(exist_ok=True)
    shutil.copy2(tools()["pulumi"], folder / "pulumi")  # it resolves links to find its language host beside itself
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


def engine_environment(home: Path, binaries: Path, *, backend: Path) -> dict[str, str]:
    """Return the variables for an engine in `binaries` with its files below `home` and its states in `backend`."""
    return {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{backend}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase-of-the-tests",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
