"""Print, as JSON, the version of the interpreter running this file and the distributions it can import.

Run by the language host under the program's interpreter, so it uses the standard library only. The
object has `python` and `packages`; each package has `name` (normalised as in PEP 503), `version`,
`required` (some other distribution needs it) and `plugin`: the contents of its pulumi-plugin.json when
that says it has a resource provider, else null.
"""

import json
import platform
import re
from importlib.metadata import Distribution, distributions
from typing import Any


def normalised(name: str) -> str:
    """Normalise a distribution's name as PEP 503 says."""
    return re.sub(r"[-_.]+", "-", name).lower()


def plugin(distribution: Distribution) -> Any:
    """Read the package's pulumi-plugin.json; None when it has none or names no resource provider."""
    package = normalised(distribution.name).replace("-", "_")
    try:
        described = json.loads(distribution.locate_file(f"{package}/pulumi-plugin.json").read_text())
    except FileNotFoundError:
        return None
    if not described.get("resource"):
        return None
    return {"name": package.removeprefix("pulumi_").replace("_", "-")} | described


def packages() -> list[dict[str, Any]]:
    """List every distribution once, by name."""
    found = {normalised(each.name): each for each in distributions()}
    # What only an extra needs, nobody may need here.
    all_needs = (need for each in found.values() for need in each.requires or () if "extra ==" not in need)
    needs = (re.split(r"[ ;<>=!~\[(]", need)[0] for need in all_needs)
    required = {normalised(need) for need in needs}
    return [
        {"name": name, "version": each.version, "required": name in required, "plugin": plugin(each)}
        for name, each in sorted(found.items())
    ]


if __name__ == "__main__":
    print(json.dumps({"python": platform.python_version(), "packages": packages()}))
