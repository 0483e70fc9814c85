"""Print, as JSON, what the interpreter running this file has: its version, pip's, and `plugins` or `packages`.

Run by the language host under the program's interpreter, with one of the two words, so it uses the standard library
only. `plugins` are the installed packages whose pulumi-plugin.json says that they have a resource provider, with its
contents beside `name` and `version`. `packages` are all distributions, each with `name` (normalised as in PEP 503),
`version` and `required` (some other distribution needs it); to read them takes three times as long.
"""

import json
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any


def plugins() -> list[dict[str, Any]]:
    """List the providers that the installed packages need."""
    files = sorted(file for folder in sys.path[1:] for file in Path(folder).glob("*/pulumi-plugin.json"))
    described = {file.parent.name: json.loads(file.read_text()) for file in files}
    return [
        {"name": package.removeprefix("pulumi_").replace("_", "-"), "version": version(package), **content}
        for package, content in described.items()
        if content.get("resource")
    ]


def packages() -> list[dict[str, Any]]:
    """List every distribution once, by name."""
    found = {_normalised(each.name): each for each in distributions()}
    # What only an extra needs, nobody may need here.
    all_needs = (need for each in found.values() for need in each.requires or () if "extra ==" not in need)
    required = {_normalised(re.split(r"[ ;<>=!~\[(]", need)[0]) for need in all_needs}
    return [
        {"name": name, "version": each.version, "required": name in required} for name, each in sorted(found.items())
    ]


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _pip() -> str:
    try:
        return version("pip")
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    wanted = {"plugins": plugins, "packages": packages}[sys.argv[1]]()
    print(json.dumps({"python": platform.python_version(), "pip": _pip(), sys.argv[1]: wanted}))
