"""The stack as its user has it: pulumi and kubectl run in the project's folder, with the sandbox's environment."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox import environment
from sandbox.layout import Layout

PROJECT = ("Pulumi.yaml", "Pulumi.local.yaml", "__main__.py", "contract", "infra", "app")
"""The files and folders of the program, without the sandbox."""

CLUSTER = re.compile(r"^  ejemplo-django:cluster:\n(?:    .*\n)+", re.MULTILINE)
"""The section `cluster` of a stack file."""

SANDBOX_CLUSTER = """\
  ejemplo-django:cluster:
    driver: existing
    name: local.example.test
    kubeconfigFile: .sandbox/kubeconfig
"""
"""That section for a stack that deploys into the sandbox's existing cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self) -> str:
        """All its output."""
        return self.out + self.err


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an `up`, `refresh` or `destroy` did, or a `preview` plans, as the engine reports it."""

    done: Done
    steps: list[tuple[str, str]]
    """The label and the operation of each changed resource, in the order in which the steps ended. A label is the type
    and the logical name: `kubernetes:core/v1:Service web-service`."""
    messages: str
    """The diagnostics that the user saw."""

    @property
    def operations(self) -> dict[str, str]:
        """The operations by label."""
        return dict(self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack and its project's folder."""

    layout: Layout
    folder: Path
    name: str = environment.STACK
    access_key: str = ""
    """The AWS access key of its commands; empty for that of the sandbox's own user."""

    def run(self, *command: str, check: bool = True, timeout: float = 300, stdin: str | None = None) -> Done:
        """Run a command in the sandbox's environment; it must succeed unless `check` is off."""
        began = time.monotonic()
        who = {"AWS_ACCESS_KEY_ID": self.access_key} if self.access_key else {}
        ended = subprocess.run(
            command,
            cwd=self.folder,
            env=os.environ | environment.variables(self.layout) | who,
            capture_output=True,
            text=True,
            input=stdin,
            timeout=timeout,
            check=False,
        )
        done = Done(code=ended.returncode, out=ended.stdout, err=ended.stderr, seconds=time.monotonic() - began)
        assert not check or done.code == 0, f"{' '.join(command)} ended with {done.code}:\n{done.said}"
        return done

    def pulumi(self, *arguments: str, check: bool = True, timeout: float = 300) -> Done:
        """Run pulumi on this stack."""
        return self.run("pulumi", *arguments, "--non-interactive", f"--stack={self.name}", check=check, timeout=timeout)

    def change(self, verb: str, *options: str, check: bool = True, timeout: float = 300) -> Change:
        """Run `up`, `refresh` or `destroy` without a preview; it must succeed unless `check` is off."""
        done = self.pulumi(verb, "--yes", "--skip-preview", "--json", *options, check=False, timeout=timeout)
        events = [json.loads(line) for line in done.out.splitlines() if line.startswith("{")]
        ended = [event["resOutputsEvent"]["metadata"] for event in events if "resOutputsEvent" in event]
        told = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
        messages = "".join(each["message"] for each in told if each["severity"] != "debug") + done.err
        assert not check or done.code == 0, f"pulumi {verb} ended with {done.code}:\n{messages}"
        return Change(
            done=done,
            steps=[(label(step["urn"]), step["op"]) for step in ended if step["op"] != "same"],
            messages=messages,
        )

    def plan(self, *options: str) -> Change:
        """Run `preview`; return what `up` would do."""
        done = self.pulumi("preview", "--json", *options)
        document = json.loads(done.out)
        return Change(
            done=done,
            steps=[(label(step["urn"]), step["op"]) for step in document["steps"] if step["op"] != "same"],
            messages="".join(each["message"] for each in document.get("diagnostics", ())) + done.err,
        )

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets as `[secret]`."""
        values: dict[str, Any] = json.loads(self.pulumi("stack", "output", "--json").out)
        return values

    def resources(self) -> set[str]:
        """Return the labels of all resources in the state."""
        deployment = json.loads(self.pulumi("stack", "export").out)["deployment"]
        return {label(each["urn"]) for each in deployment.get("resources") or ()}

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl; return its output."""
        return self.run("kubectl", *arguments, stdin=stdin).out

    def objects(self, *arguments: str) -> Any:
        """Return what `kubectl get` finds, as the API has it."""
        return json.loads(self.kubectl("get", *arguments, "--output=json"))

    def sandbox(self, verb: str, *options: str, check: bool = True, timeout: float = 600) -> Done:
        """Run a command of the sandbox: `up`, `down`, `start`, `status`."""
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "sandbox", verb, *options],
            cwd=self.layout.checkout,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        done = Done(code=ended.returncode, out=ended.stdout, err=ended.stderr, seconds=time.monotonic() - began)
        assert not check or done.code == 0, f"sandbox {verb} ended with {done.code}:\n{done.said[-6000:]}"
        return done

    def copied(self, to: Path, *, name: str | None = None) -> "Stack":
        """Copy the program to another folder, where a test may change it, for the same stack or a new one."""
        to.mkdir()
        for part in PROJECT:
            source = self.layout.checkout / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, to / part)
        for link in (".venv", ".sandbox"):
            (to / link).symlink_to(self.layout.checkout / link)
        if name is not None:
            (to / "Pulumi.local.yaml").rename(to / f"Pulumi.{name}.yaml")
        return replace(self, folder=to, name=name or self.name)

    def beside(self, to: Path, *, name: str) -> "Stack":
        """Copy the program for a new stack that deploys into the sandbox's cluster, whatever this stack's driver is."""
        made = self.copied(to, name=name)
        file = made.folder / f"Pulumi.{name}.yaml"
        file.write_text(CLUSTER.sub(SANDBOX_CLUSTER, file.read_text()))
        return made


def label(urn: str) -> str:
    """Return the type and the logical name in a URN (`urn:pulumi:stack::project::parents$type::name`)."""
    *_, types, name = urn.split("::")
    return f"{types.rpartition('$')[2]} {name}"


def declared(labels: set[str]) -> set[str]:
    """Return the labels that a plan shows: all but those of default providers, which the engine makes."""
    return {each for each in labels if not (each.startswith("pulumi:providers:") and " default" in each)}


def packages_of_the_suite(folder: Path) -> Path:
    """Create `.venv` in a folder, where Python finds the suite's packages too; return its site-packages."""
    environment = folder / ".venv"
    venv.create(environment, with_pip=True)
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "of-the-suite.pth").write_text(sysconfig.get_path("purelib"))
    return packages


def edited(file: Path, changes: Mapping[str, str]) -> None:
    """Replace texts in a file; each must be there."""
    content = file.read_text()
    for old, new in changes.items():
        assert old in content, f"{file} has no {old!r}"
        content = content.replace(old, new)
    file.write_text(content)
