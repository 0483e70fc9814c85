"""A stack with a bucket, a cluster and an object in it, run by `pulumi` with its engine, moto and the stand-ins."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox import environment as embedded, toolchain
from tests.tools import engine, engine_environment

BUCKET = "clusters.dev.example.com"
WORK = "work"
"""The name of the Secret that the program creates in the cluster."""

CLUSTER = f"""
import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from infra import config, drivers, providers

settings = config.load()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
# Not the StateBucket: moto takes its policy, which is against plain http, for one against everybody.
bucket = aws.s3.Bucket("state", bucket="{BUCKET}", opts=in_aws)
made = drivers.declare(
    settings.cluster, aws=settings.aws, bucket=bucket.bucket, zone_id="Z", protect=False, opts=in_aws
)
pulumi.export("kubeconfig", made.kubeconfig)
"""
"""A program that declares a cluster with the configured driver."""

CLUSTER_WITH_WORK = f"""{CLUSTER}
inside = providers.in_cluster(
    kubeconfig=made.kubeconfig, identifier=made.name, needs=settings.needs, domain=settings.domain
)
kubernetes.core.v1.Secret("{WORK}", metadata={{"name": "{WORK}"}}, string_data={{"a": "1"}}, opts=inside)
"""
"""The same, with an object in the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A project in a folder, whose configuration a test changes."""

    folder: Path
    environment: Mapping[str, str]
    endpoint: str | None
    """The URL of AWS."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """The tags of everything that the program creates in AWS."""
    cluster: dict[str, Any] = field(default_factory=dict)

    def configure(self, **changes: Any) -> None:
        """Change keys of the cluster's settings."""
        self.cluster.update(changes)
        config = {
            "domain": "dev.example.com",
            "aws": {"region": "us-east-1", "endpoint": self.endpoint, "tags": dict(self.tags)},
            "app": {"name": "site"},
            "cluster": self.cluster,
            "registry": {
                "server": "registry.example.test",
                "username": "ci",
                "email": "ci@example.test",
                "passwordFile": str(self.folder / "password"),
            },
            "image": {"digest": f"sha256:{'0' * 64}"},  # these projects have nothing to build
        }
        file = self.folder / "Pulumi.dev.yaml"
        kept = yaml.safe_load(file.read_text()) if file.exists() else {}
        kept["config"] = {f"ejemplo-django:{key}": value for key, value in config.items()}
        file.write_text(yaml.safe_dump(kept))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start pulumi."""
        command = ["pulumi", *arguments, "--non-interactive"]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run pulumi and return its output. It must succeed, or fail if `code` is not 0."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=240)
        assert (process.returncode != 0) == (code != 0), said
        return said

    def up(self, *arguments: str, code: int = 0) -> str:
        """Run `up` without a preview, and return its output."""
        return self.run("up", "--yes", "--skip-preview", *arguments, code=code)

    def preview(self) -> dict[str, Any]:
        """Return the preview as JSON."""
        process = subprocess.run(
            ["pulumi", "preview", "--json", "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return dict(json.loads(process.stdout))

    def plan(self) -> dict[str, str]:
        """Return the operations that an `up` would perform, by type and name; without those that change nothing."""
        return _changes(self.preview()["steps"])

    def changes(self) -> dict[str, str]:
        """Run `up`; return its operations by type and name, without those that change nothing."""
        events = [json.loads(line) for line in self.up("--json").splitlines() if line.startswith("{")]
        return _changes(event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event)

    def planned(self) -> set[str]:
        """Return the kinds of operations in a preview."""
        return set(self.plan().values())

    def state(self) -> list[str]:
        """Return the types of the resources in the state."""
        exported = json.loads(self.run("stack", "export"))
        return [each["type"].split(":")[-1] for each in exported["deployment"].get("resources", [])]

    def kept(self) -> str:
        """Return the contents of all files of the state and its history."""
        files = [each for each in (self.folder.parent / "stacks").rglob("*") if each.is_file()]
        return "\n".join(each.read_text(errors="replace") for each in files)


def _changes(steps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the operation of each step that changes something, by type and name: `Cluster cluster`."""
    return {
        " ".join(step["urn"].split("::")[-2:]).rpartition(":")[2]: step["op"]
        for step in steps
        if step["op"] not in ("same", "read")
    }


def project(
    home: Path,
    *,
    endpoint: str | None,
    program: str = CLUSTER,
    variables: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Stack:
    """Create a project with that program, and its stack; the caller configures the cluster."""
    folder, binaries = home / "project", home / "bin"
    for each in (folder, folder / "app", home / "stacks"):
        each.mkdir()
    engine(binaries)
    environment = {
        **os.environ,
        **engine_environment(home, binaries, backend=home / "stacks"),
        toolchain.AWS_WAIT: str(embedded.AWS_WAIT),
        **(variables or {}),
    }
    made = Stack(folder=folder, environment=environment, endpoint=endpoint, tags=tags or {})
    (folder / "app" / "Dockerfile").touch()
    (folder / "password").write_text("password")
    (folder / "__main__.py").write_text(program)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "ejemplo-django", "runtime": runtime}))
    made.run("stack", "init", "dev")
    return made
