"""A stack of a cluster by EKS and nothing else, for `pulumi` itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conformance import stack as stacks
from tests.eks.cloud import KEY, SECRET, Cloud

_PROGRAM = """
import pulumi
from infra import config, drivers, providers

settings = config.load()
in_aws = pulumi.ResourceOptions(provider=providers.aws_provider("aws", settings=settings.aws))
made = drivers.declare(settings.cluster, aws=settings.aws, bucket="none", zone_id="none", opts=in_aws)
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
    """A project of a cluster, with what its engine's events say."""

    project: stacks.Stack

    def configure(self, **changes: Any) -> None:
        """Change keys of the cluster's settings."""
        self.project.configure(**changes)

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run pulumi; gives all that it said."""
        process = self.project.start(*arguments)
        said, _ = process.communicate(timeout=240)
        assert (process.returncode != 0) == fails, "\n".join(_complaints(said))
        return said

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


def stack(cloud: Cloud, home: Path) -> Stack:
    """Make a project of a cluster, and its stack."""
    access = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    project = stacks.project(home, endpoint=cloud.url, program=_PROGRAM, variables=access, tags={"stack": "dev"})
    project.configure(**CLUSTER)
    return Stack(project=project)
