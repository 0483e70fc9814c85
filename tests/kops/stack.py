"""A stack of a bucket and a cluster by kops, for `pulumi` itself: the engine, moto, and a kops."""

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
from tests.kops.world import BUCKET, NAME, World

_ROOT = Path(__file__).parents[2]
_PROGRAM = f"""
import pulumi
import pulumi_aws as aws
from infra import cluster, config, providers

settings = config.load()
in_aws = pulumi.ResourceOptions(provider=providers.aws_provider("aws", settings=settings.aws))
# Not the StateBucket: moto takes its policy, which is against plain http, for one against everybody.
bucket = aws.s3.Bucket("state", bucket="{BUCKET}", opts=in_aws)
made = cluster.declare(settings.cluster, aws=settings.aws, bucket=bucket.bucket, zone_id="Z", opts=in_aws)
pulumi.export("kubeconfig", made.kubeconfig)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A project in a folder, whose configuration a test changes."""

    world: World
    folder: Path
    environment: Mapping[str, str]
    cluster: dict[str, Any] = field(default_factory=dict)

    def configure(self, **changes: Any) -> None:
        """Change keys of the cluster's settings."""
        self.cluster.update(changes)
        config = {
            "domain": "dev.example.com",
            "aws": {"region": "us-east-1", "endpoint": self.world.kops.endpoint},
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
        """Run pulumi, which must end with the exit code; gives all that it said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=120)
        assert (process.returncode != 0) == (code != 0), said
        return said

    def up(self, *arguments: str, code: int = 0) -> str:
        """Bring the stack up without a preview before."""
        return self.run("up", "--yes", "--skip-preview", *arguments, code=code)

    def preview(self) -> dict[str, Any]:
        """Preview it as JSON."""
        process = subprocess.run(
            ["pulumi", "preview", "--json", "--non-interactive"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(process.stdout))

    def state(self) -> list[str]:
        """The types of the resources in the state."""
        exported = json.loads(self.run("stack", "export"))
        return [each["type"].split(":")[-1] for each in exported["deployment"].get("resources", [])]


@contextmanager
def stack(world: World) -> Iterator[Stack]:
    """Make a project of a bucket and a cluster, and its stack."""
    made = _project(world)
    (made.folder / "app").mkdir()
    (made.folder / "app" / "Dockerfile").touch()
    (made.folder / "password").write_text("password")
    (made.folder / "__main__.py").write_text(_PROGRAM)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (made.folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "ejemplo-django", "runtime": runtime}))
    made.run("stack", "init", "dev")
    nodes = [{"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}]
    made.configure(driver="kops", name=NAME, kubernetesVersion="1.35.7", zones=["us-east-1c"], nodes=nodes)
    yield made


def committed(world: World) -> Stack:
    """Copy the program with its stack `dev`; of AWS there is moto, and of the password the operator's."""
    made = _project(world, AWS_ENDPOINT_URL=str(world.kops.endpoint), AWS_DEFAULT_REGION="us-east-1")
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py"):
        shutil.copy(_ROOT / name, made.folder)
    for name in ("infra", "app"):
        shutil.copytree(_ROOT / name, made.folder / name)
    (made.folder / ".venv").symlink_to(sys.prefix)
    made.run("stack", "init", "dev")
    made.run("config", "set", "--secret", "--path", "registry.password", "the-operators-own")
    return made


def _project(world: World, **variables: str) -> Stack:
    folder, binaries = world.home / "project", world.home / "bin"
    for each in (folder, world.home / "stacks"):
        each.mkdir()
    _tools(binaries)
    environment = os.environ | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PULUMI_HOME": str(world.home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{world.home / 'stacks'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(_ROOT),
        **variables,
    }
    return Stack(world=world, folder=folder, environment=environment)


def _tools(folder: Path) -> None:
    """Put the engine and its plugins into a folder: the language host and the provider of dynamic resources."""
    [pulumi] = [each for each in toolchain.TOOLS if each.module == "pulumi"]
    found = toolchain.resolve(pulumi, here().cache, lambda *_: None, path=os.environ["PATH"])["pulumi"]
    shutil.copy2(found, folder / "pulumi")  # it looks for its plugins beside itself, links resolved
    modules = {"language-python": "sandbox.plugins.language", "resource-pulumi-python": "pulumi.dynamic"}
    stand_ins = {f"resource-{name}": f"sandbox.plugins.{name}" for name in ("aws", "docker", "kubernetes")}
    for name, module in (modules | stand_ins).items():
        script = folder / f"pulumi-{name}"
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u -m {module} "$@"\n')
        script.chmod(0o755)
