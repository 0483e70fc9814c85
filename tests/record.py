"""Record again what the engine says of the program: `python -m tests.record`, with the sandbox up and deployed.

Every scenario is run by the real engine in a copy of the project, on a copy of the state of stack `local`, against
the embedded cloud as it is. It only previews: nothing is changed, neither in the cloud nor in the stack. The
recordings hold what a comment is made of, and nothing of the machine.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from moto.core.models import DEFAULT_ACCOUNT_ID

ROOT = Path(__file__).parents[1]
RECORDINGS = ROOT / "tests/ops/recordings"
KEY = "this-is-the-key-of-the-recording-which-must-never-be-shown-1234"
"""A secret that one scenario sets: the tests look for it in the recordings and comments."""

State = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is different from what is deployed."""

    config: dict[str, Any] = field(default_factory=dict)
    """Of the project's own keys."""
    secrets: dict[str, str] = field(default_factory=dict)
    """By path."""
    program: Callable[[str], str] = lambda text: text


def _without_alias(program: str) -> str:
    return re.sub(r"^Alias\(.*\)\n", "", program, flags=re.MULTILINE)


SCENARIOS = {
    "update": Scenario(config={"image": {"base": "python:3.11-slim-bookworm", "tag": "v2"}, "app": {"replicas": 3}}),
    "replace": Scenario(config={"domain": "next.example.test"}),
    "delete": Scenario(program=_without_alias),
    "secret": Scenario(secrets={"app.secretKey": KEY}),
    "failure": Scenario(config={"image": {"tag": "latest"}, "app": {"replicas": 0}}),
}
_KEPT = ("type", "custom", "parent", "inputs", "outputs")


def slim(recording: State) -> State:
    """Leave out what no reader of a plan looks at, and where on the machine things are."""
    for step in recording.get("steps", []):
        for state in ("oldState", "newState"):
            kept = {key: value for key, value in (step.pop(state, None) or {}).items() if key in _KEPT}
            if all(each["inputDiff"] for each in (step.get("detailedDiff") or {}).values()):
                kept.pop("outputs", None)
            if kept:
                step[state] = kept
    for said in recording.get("diagnostics", []):
        said["message"] = re.sub(r"(from \$PATH at )\S*/", r"\1", said["message"])
    recording.pop("duration", None)
    # The account that moto has by default.
    scrubbed: State = json.loads(json.dumps(recording).replace(DEFAULT_ACCOUNT_ID, "000000000000"))
    return scrubbed


def main() -> None:
    """Write the recordings."""
    exported = _pulumi(ROOT, "stack", "export", "--stack", "local").stdout
    with tempfile.TemporaryDirectory() as folder:
        for name, scenario in SCENARIOS.items():
            printed = _run(Path(folder) / name, scenario, exported)
            written = json.dumps(slim(json.loads(printed)), indent=1, ensure_ascii=False)
            (RECORDINGS / f"{name}.json").write_text(written + "\n")
            print(name, len(written))


def _run(project: Path, scenario: Scenario, exported: str) -> str:
    project.mkdir()
    for name in ("contract", "infra", "app"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".venv", ".sandbox"):
        (project / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Pulumi.yaml", project)
    (project / "__main__.py").write_text(scenario.program((ROOT / "__main__.py").read_text()))
    stack = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())
    stack["config"] |= {f"ejemplo-django:{key}": value for key, value in scenario.config.items()}
    for name in ("stacks", "home"):
        (project / name).mkdir()
    _pulumi(project, "stack", "init", "local")
    (project / "Pulumi.local.yaml").write_text(yaml.safe_dump(stack))
    (project / "state.json").write_text(exported)
    _pulumi(project, "stack", "import", "--stack", "local", "--file", "state.json")
    for path, value in scenario.secrets.items():
        _pulumi(project, "config", "set", "--stack", "local", "--secret", "--path", path, stdin=value)
    # A preview that fails is recorded too.
    return _pulumi(project, "preview", "--json", "--stack", "local", check=False).stdout


def _pulumi(project: Path, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
    own = {} if project == ROOT else {"BACKEND_URL": f"file://{project}/stacks", "HOME": f"{project}/home"}
    exports = " ".join(f"PULUMI_{key}={value}" for key, value in own.items())
    return subprocess.run(
        ["bash", "-c", f'. "$0/.sandbox/env" && {exports} exec pulumi "$@"', str(ROOT), *arguments],
        cwd=project,
        env=dict(os.environ),
        input=stdin,
        capture_output=True,
        text=True,
        check=check,
    )


if __name__ == "__main__":
    main()
