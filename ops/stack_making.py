"""How a new stack is made: whole, or not at all."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from infra.settings.aws import Aws
from ops import engine, state_bucket
from ops.errors import OpsError
from ops.interview import Settled

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105  # the name of the variable
"""Environment variable, pulumi's own: what secrets are encrypted with when the provider is `passphrase`."""

_COMMENT = "# Made by `make new-stack`. docs/configuration.md describes every key.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a new stack is made from."""

    name: str
    backend: str
    """The URL that `pulumi login` takes."""
    secrets_provider: str
    """What `pulumi stack init --secrets-provider` takes."""
    settled: Settled = field(repr=False)
    passphrase: str = field(repr=False)
    """Secret; empty when the provider is another."""


def make(request: Request) -> None:
    """Make the stack and its file, or nothing. Raises OpsError with the reason."""
    project, prefix = engine.PROJECT, engine.project_name()
    with ExitStack() as undo, tempfile.TemporaryDirectory() as scratch:
        # The file comes to be in a folder of its own: pulumi writes it more than once.
        shutil.copy(project / "Pulumi.yaml", scratch)
        environment = {"PULUMI_BACKEND_URL": request.backend}
        if request.passphrase:
            environment[PASSPHRASE] = request.passphrase

        def pulumi(*arguments: str, stdin: str = "") -> str:
            return engine.pulumi(*arguments, folder=Path(scratch), environment=environment, stdin=stdin)

        _prepare(request.backend, request.settled.read.aws, undo)
        if request.name in _stacks(pulumi):
            raise OpsError(f"There is a stack {request.name} at {request.backend} already.")
        undo.callback(_forget, pulumi, request.name)
        pulumi("stack", "init", request.name, "--no-select", f"--secrets-provider={request.secrets_provider}")
        file = Path(scratch, f"Pulumi.{request.name}.yaml")
        made = yaml.safe_load(file.read_text()) if file.exists() else {}
        config: dict[str, Any] = {
            # A forgotten provider is an error then, instead of one with the machine's settings.
            "pulumi:disable-default-providers": ["aws", "kubernetes"],
            **{f"{prefix}:{key}": value for key, value in request.settled.config.items()},
        }
        file.write_text(_COMMENT + yaml.safe_dump({"config": config, **(made or {})}, sort_keys=False, width=110))
        for key, secret in request.settled.secrets.items():
            pulumi("config", "set", "--secret", "--path", f"{prefix}:{key}", "--stack", request.name, stdin=secret)
        beside = project / f".Pulumi.{request.name}.yaml.new"
        undo.callback(beside.unlink, missing_ok=True)
        shutil.copy(file, beside)
        beside.rename(project / file.name)  # whole or not at all
        undo.pop_all()


def stack_name(text: str) -> str | None:
    """Check a stack's name: what was expected, or None."""
    fits = re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", text)
    return None if fits else "a stack's name: at most 100 letters, digits, '-', '_' and '.', such as dev"


def backend_url(text: str) -> str | None:
    """Check where the state is to be kept: what was expected, or None."""
    parts = urlsplit(text)
    if parts.scheme == "s3":
        return state_bucket.bucket_name(parts.netloc)
    named = (parts.scheme == "https" and parts.netloc) or (parts.scheme == "file" and parts.netloc + parts.path)
    return None if named else "file:// and a folder, s3:// and a bucket, or https://api.pulumi.com"


def secrets_provider(text: str, *, backend: str) -> str | None:
    """Check what is to encrypt the secrets of a stack at a backend: what was expected, or None."""
    own = ["default"] if backend.startswith("https://") else []  # the service's own key
    parts = urlsplit(text)
    named = parts.scheme == "awskms" and parts.netloc + parts.path and "region=" in parts.query
    if text in ("passphrase", *own) or named:
        return None
    return " or ".join([*own, "passphrase", "a KMS key such as awskms://alias/acme-pulumi-state?region=us-east-1"])


def _prepare(backend: str, settings: Aws, undo: ExitStack) -> None:
    """Make what the backend stands on: a folder, or a bucket."""
    parts = urlsplit(backend)
    if parts.scheme == "s3":
        state_bucket.ensure(parts.netloc, settings, undo=undo.callback)
    elif parts.scheme == "file":
        folder = Path(parts.netloc + parts.path).expanduser()
        if not folder.exists():
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            folder.mkdir(parents=True)


def _stacks(pulumi: Callable[..., str]) -> list[str]:
    return [each["name"] for each in json.loads(pulumi("stack", "ls", "--json"))]


def _forget(pulumi: Callable[..., str], name: str) -> None:
    """Take the stack back, where it came to be. Without --force: pulumi keeps one that has resources."""
    if name in _stacks(pulumi):
        pulumi("stack", "rm", name, "--yes")
