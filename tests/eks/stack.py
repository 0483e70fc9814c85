"""A stack of a cluster by EKS and nothing else, for `pulumi` itself."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox import toolchain
from sandbox.layout import here
from tests.eks.cloud import KEY, REGION, SECRET, Cloud

_ROOT = Path(__file__).parents[2]
_PROGRAM = """
import pulumi
from infra import cluster, config, providers

settings = config.load()
in_aws = pulumi.ResourceOptions(provider=providers.aws_provider("aws", settings=settings.aws))
made = cluster.declare(
    "cluster", settings=settings.cluster, aws=settings.aws, bucket="none", zone_id="none", opts=in_aws
)
pulumi.export("kubeconfig", made.kubeconfig)
"""
NAME = "useast1-dev"
NODES = {"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}
CLUSTER: Mapping[str, Any] = {
    "driver": "eks",
    "name": NAME,
    "kubernetesVersion": "1.34",
    "zones": ["us-east-1a", "us-east-1c"],
    "nodes": [NODES],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A project in a folder, whose configuration a test changes."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    cluster: dict[str, Any] = field(default_factory=lambda: dict(CLUSTER))

    def configure(self, **changes: Any) -> None:
        """Change keys of the cluster's settings."""
        self.cluster.update(changes)
        config = {
            "domain": "dev.example.com",
            "aws": {"region": REGION, "endpoint": self.url, "tags": {"stack": "dev"}},
            "cluster": self.cluster,
            "registry": {
                "server": "registry.example.test",
                "username": "ci",
                "email": "ci@example.test",
                "passwordFile": str(self.folder / "password"),
            },
        }
        file = self.folder / "Pulumi.dev.yaml"
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        kept["config"] = {f"ejemplo-django:{key}": value for key, value in config.items()}
        file.write_text(yaml.safe_dump(kept))

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run pulumi; gives all that it said."""
        ended = subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
            check=False,
        )
        assert (ended.returncode != 0) == fails, "\n".join(_complaints(ended.stdout))
        return ended.stdout

    def up(self, *arguments: str, fails: bool = False) -> dict[str, str]:
        """Bring it up; gives what was done to each resource that did not stay as it was, by type and name."""
        said = self.run("up", "--yes", "--skip-preview", "--json", *arguments, fails=fails)
        return _steps(said)

    def destroy(self) -> None:
        """Destroy it."""
        self.run("destroy", "--yes", "--skip-preview")

    def preview(self, *arguments: str) -> dict[str, str]:
        """Preview it; gives what would be done, as `up`."""
        said = self.run("preview", "--json", *arguments)
        plan = json.loads(said[said.index("{") :])
        return {_called(each["urn"]): each["op"] for each in plan["steps"] if each["op"] != "same"}

    def kubeconfig(self) -> dict[str, Any]:
        """The stack's output."""
        return dict(yaml.safe_load(self.run("stack", "output", "kubeconfig", "--show-secrets")))

    def state(self) -> str:
        """The whole state as text."""
        return self.run("stack", "export")


def _called(urn: str) -> str:
    kind, name = urn.split("::")[-2:]
    return f"{kind.rsplit(':', 1)[-1]} {name}"


def _steps(said: str) -> dict[str, str]:
    """What the engine's events say was done."""
    steps: dict[str, str] = {}
    for line in said.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            step = event.get("resourcePreEvent", {}).get("metadata", {})
            if step and step["op"] not in ("same", "read"):
                steps[_called(step["urn"])] = step["op"]
    return steps


def _complaints(said: str) -> list[str]:
    """What it said, of the engine's events only what is wrong."""
    complaints = []
    for line in said.splitlines():
        is_event = line.startswith("{") and line.endswith("}")
        told = json.loads(line).get("diagnosticEvent", {}) if is_event else {"message": line}
        if told.get("severity") != "debug" and told.get("message"):
            complaints.append(told["message"])
    return complaints


@contextmanager
def stack(cloud: Cloud, home: Path) -> Iterator[Stack]:
    """Make a project of a cluster, and its stack."""
    folder, binaries = home / "project", home / "bin"
    for each in (folder, folder / "app", home / "stacks", binaries):
        each.mkdir()
    _tools(binaries)
    environment = os.environ | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{home / 'stacks'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(_ROOT),
    }
    made = Stack(folder=folder, url=cloud.url, environment=environment)
    (folder / "app" / "Dockerfile").touch()
    (folder / "password").write_text("password")
    (folder / "__main__.py").write_text(_PROGRAM)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "ejemplo-django", "runtime": runtime}))
    made.run("stack", "init", "dev")
    made.configure()
    yield made


def _tools(folder: Path) -> None:
    """Put the engine and its plugins into a folder: it looks for them beside itself, links resolved."""
    [pulumi] = [each for each in toolchain.TOOLS if each.module == "pulumi"]
    found = toolchain.resolve(pulumi, here().cache, lambda *_: None, path=os.environ["PATH"])["pulumi"]
    shutil.copy2(found, folder / "pulumi")
    for name, module in {"language-python": "sandbox.plugins.language", "resource-aws": "sandbox.plugins.aws"}.items():
        script = folder / f"pulumi-{name}"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u -m {module} "$@"\n')
        script.chmod(0o755)
