"""A stack of a bucket, a cluster and something in it, for `pulumi` itself: the engine, moto, and the stand-ins."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sandbox import environment as embedded, toolchain
from tests.tools import engine

BUCKET = "clusters.dev.example.com"
WORK = "work"
"""The name of the Secret that the program keeps in the cluster."""

CLUSTER = f"""
import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from infra import config, drivers, providers

settings = config.load()
in_aws = pulumi.ResourceOptions(provider=providers.aws_provider("aws", settings=settings.aws))
# Not the StateBucket: moto takes its policy, which is against plain http, for one against everybody.
bucket = aws.s3.Bucket("state", bucket="{BUCKET}", opts=in_aws)
made = drivers.declare(settings.cluster, aws=settings.aws, bucket=bucket.bucket, zone_id="Z", opts=in_aws)
pulumi.export("kubeconfig", made.kubeconfig)
"""
"""A program of a cluster as the driver of the configuration makes it."""

CLUSTER_WITH_WORK = f"""{CLUSTER}
inside = providers.in_cluster(kubeconfig=made.kubeconfig, identifier=made.name, needs=settings.needs)
kubernetes.core.v1.Secret("{WORK}", metadata={{"name": "{WORK}"}}, string_data={{"a": "1"}}, opts=inside)
"""
"""The same, with something that lives in the cluster."""

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A project in a folder, whose configuration a test changes."""

    folder: Path
    environment: Mapping[str, str]
    endpoint: str | None
    """Where AWS is."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """On everything that the program makes in AWS."""
    cluster: dict[str, Any] = field(default_factory=dict)

    def configure(self, **changes: Any) -> None:
        """Change keys of the cluster's settings."""
        self.cluster.update(changes)
        config = {
            "domain": "dev.example.com",
            "aws": {"region": "us-east-1", "endpoint": self.endpoint, "tags": dict(self.tags)},
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
        """Run pulumi, which must succeed, or fail where a code is given; gives all that it said."""
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
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return dict(json.loads(process.stdout))

    def planned(self) -> set[str]:
        """The operations of a preview, those that leave a resource as it is left out."""
        return {each["op"] for each in self.preview()["steps"]} - {"same"}

    def state(self) -> list[str]:
        """The types of the resources in the state."""
        exported = json.loads(self.run("stack", "export"))
        return [each["type"].split(":")[-1] for each in exported["deployment"].get("resources", [])]

    def kept(self) -> str:
        """The state and its history as they lie in their files, all in one."""
        files = [each for each in (self.folder.parent / "stacks").rglob("*") if each.is_file()]
        return "\n".join(each.read_text(errors="replace") for each in files)


def project(
    home: Path,
    *,
    endpoint: str | None,
    program: str = CLUSTER,
    variables: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Stack:
    """Make a project of that program in a folder of its own, and its stack; the cluster is to be configured."""
    made = _folder(home, endpoint=endpoint, variables=variables or {}, tags=tags)
    (made.folder / "app").mkdir()
    (made.folder / "app" / "Dockerfile").touch()
    (made.folder / "password").write_text("password")
    (made.folder / "__main__.py").write_text(program)
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (made.folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "ejemplo-django", "runtime": runtime}))
    made.run("stack", "init", "dev")
    return made


def committed(home: Path, *, endpoint: str) -> Stack:
    """Copy the program with its stack `dev`; of AWS there is moto, and of the password the operator's."""
    made = _folder(home, endpoint=endpoint, variables={"AWS_ENDPOINT_URL": endpoint, "AWS_DEFAULT_REGION": "us-east-1"})
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "__main__.py"):
        shutil.copy(_ROOT / name, made.folder)
    for name in ("contract", "infra", "app"):
        shutil.copytree(_ROOT / name, made.folder / name)
    (made.folder / ".venv").symlink_to(sys.prefix)
    made.run("stack", "init", "dev")
    made.run("config", "set", "--secret", "--path", "registry.password", "the-operators-own")
    return made


def _folder(
    home: Path, *, endpoint: str | None, variables: Mapping[str, str], tags: Mapping[str, str] | None = None
) -> Stack:
    folder, binaries = home / "project", home / "bin"
    for each in (folder, home / "stacks"):
        each.mkdir()
    engine(binaries)
    environment = os.environ | {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PULUMI_HOME": str(home / "pulumi"),
        "PULUMI_BACKEND_URL": f"file://{home / 'stacks'}",
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PYTHONPATH": str(_ROOT),
        toolchain.AWS_WAIT: str(embedded.AWS_WAIT),
        **variables,
    }
    return Stack(folder=folder, environment=environment, endpoint=endpoint, tags=tags or {})
