"""Fixtures for the tests of the commands: a small project for the real pulumi, and doubles of tools."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from ops import command, pulumi
from tests.aws_server import aws_server
from tests.recorder import PROJECT
from tests.tools import engine, engine_environment

PROGRAM = """
import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("id", props)

    def diff(self, id, olds, news):
        return DiffResult(changes=olds["replicas"] != news["replicas"])

    def read(self, id, props):
        with open("world") as world:
            return ReadResult("id", {**props, "replicas": world.read()})

    def update(self, id, olds, news):
        with open("world", "w") as world:
            world.write(news["replicas"])
        return UpdateResult(news)

class Thing(Resource):
    pass

config = pulumi.Config()
image = config.get_object("image") or {}
Thing(Provider(), "thing", {"replicas": config.require("replicas")})
with open("built") as built:
    pulumi.export("image", f"registry.example.com/team/app@{image.get('digest') or built.read()}")
pulumi.export("url", config.get("url"))
"""
"""A program with one resource. The file `world` is the real thing; the file `built` has the digest of a build."""


@pytest.fixture(scope="session")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the engine, its language host and the plugins."""
    folder = tmp_path_factory.mktemp("engine") / "bin"
    engine(folder)
    return folder


@pytest.fixture
def project(binaries: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create the project in which the commands run, with the stack `dev` and a backend of its own."""
    folder = tmp_path / "project"
    for each in (folder, tmp_path / "states", tmp_path / "path"):
        each.mkdir()
    for name, value in engine_environment(tmp_path, binaries, backend=tmp_path / "states").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{os.environ['PATH']}")
    runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": PROJECT, "runtime": runtime}))
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "built").write_text(f"sha256:{'1' * 64}")
    (folder / "world").write_text("2")
    monkeypatch.setattr(command, "PROJECT", folder)
    pulumi.run("stack", "init", "dev")
    pulumi.run("config", "set", "replicas", "2", "--stack", "dev")
    pulumi.run("config", "set", "domain", "dev.example.com", "--stack", "dev")
    return folder


@dataclass(frozen=True)
class Double:
    """A script that logs its calls, for a tool that cannot run here (GitHub's `gh`; `docker` without a daemon)."""

    folder: Path
    name: str

    def answer(self, text: str, *, code: int = 0) -> None:
        """Set its exit code and what it prints from now on, to standard error if it fails."""
        (self.folder / f"{self.name}.answer").write_text(json.dumps([text, code]))

    def calls(self) -> list[dict[str, Any]]:
        """Return the `arguments` and the `stdin` of each call."""
        log = self.folder / f"{self.name}.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


SCRIPT = """#!{python}
import json, sys
with open("{folder}/{name}.log", "a") as log:
    log.write(json.dumps({{"arguments": sys.argv[1:], "stdin": sys.stdin.read()}}) + "\\n")
text, code = json.load(open("{folder}/{name}.answer"))
print(text, file=sys.stderr if code else sys.stdout)
sys.exit(code)
"""


@pytest.fixture
def double(project: Path) -> Callable[[str], Double]:
    """Return a function that puts the double of a tool on PATH."""

    def put(name: str) -> Double:
        folder = project.parent / "path"
        (folder / name).write_text(SCRIPT.format(python=sys.executable, folder=folder, name=name))
        (folder / name).chmod(0o755)
        made = Double(folder=folder, name=name)
        made.answer("")
        return made

    return put


@pytest.fixture
def aws(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve an empty AWS on loopback, make the stack `dev` use it, and yield its address."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with aws_server() as address:
        requests.post(f"{address}/moto-api/reset", timeout=5).raise_for_status()
        for key, value in {"region": "us-east-1", "endpoint": address}.items():
            pulumi.run("config", "set", "--stack", "dev", "--path", f"aws.{key}", value)
        yield address
