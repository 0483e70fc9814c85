"""How a new stack is made: whole, or not at all."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from infra import config
from ops import engine, settings, state_bucket
from ops.errors import OpsError

PASSPHRASE = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105  # the name of the variable
"""Environment variable, pulumi's own: what secrets are encrypted with when the provider is `passphrase`."""

_COMMENT = "# Made by `make new-stack`. Pulumi.yaml describes every key.\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a new stack is made from."""

    name: str
    backend: str
    """The URL that `pulumi login` takes."""
    secrets_provider: str
    """What `pulumi stack init --secrets-provider` takes."""
    config: Mapping[str, Any]
    """The project's settings, secrets apart, as the file has them."""
    password: str = field(repr=False)
    """Secret: the registry's."""
    passphrase: str = field(repr=False)
    """Secret; empty when the provider is another."""


def make(request: Request, *, project: Path = engine.PROJECT) -> None:
    """Make the stack and its file, or nothing. Raises OpsError with the reason."""
    prefix = engine.project_name(project)
    read = _checked(request, project)
    with ExitStack() as undo, tempfile.TemporaryDirectory() as scratch:
        # The file comes to be in a folder of its own: pulumi writes it more than once.
        shutil.copy(project / "Pulumi.yaml", scratch)
        environment = {"PULUMI_BACKEND_URL": request.backend}
        if request.passphrase:
            environment[PASSPHRASE] = request.passphrase

        def pulumi(*arguments: str, stdin: str = "") -> str:
            return engine.pulumi(*arguments, project=Path(scratch), environment=environment, stdin=stdin)

        _prepare(request, read, undo)
        if request.name in [each["name"] for each in json.loads(pulumi("stack", "ls", "--json"))]:
            raise OpsError(f"There is a stack {request.name} at {request.backend} already.")
        undo.callback(_forget, pulumi, request.name)
        pulumi("stack", "init", request.name, "--no-select", f"--secrets-provider={request.secrets_provider}")
        file = Path(scratch, f"Pulumi.{request.name}.yaml")
        made = yaml.safe_load(file.read_text()) if file.exists() else {}
        settled: dict[str, Any] = {
            # A forgotten provider is an error then, instead of one with the machine's settings.
            "pulumi:disable-default-providers": ["aws", "kubernetes"],
            **{f"{prefix}:{key}": value for key, value in request.config.items()},
        }
        file.write_text(_COMMENT + yaml.safe_dump({"config": settled, **(made or {})}, sort_keys=False, width=110))
        secret = ("config", "set", "--secret", "--path", f"{prefix}:registry.password")
        pulumi(*secret, "--stack", request.name, stdin=request.password)
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


def secrets_provider(text: str) -> str | None:
    """Check what is to encrypt the secrets: what was expected, or None."""
    if text in ("passphrase", "default"):
        return None
    parts = urlsplit(text)
    named = parts.scheme == "awskms" and parts.netloc + parts.path and "region=" in parts.query
    return None if named else "passphrase, or a KMS key such as awskms://alias/pulumi?region=us-east-1"


def _checked(request: Request, project: Path) -> config.Settings:
    whole = json.loads(json.dumps(request.config))
    whole.setdefault("registry", {})["password"] = request.password
    return accepted(whole, name=request.name, project=project)


def accepted(whole: Mapping[str, Any], *, name: str, project: Path) -> config.Settings:
    """Have the program read a configuration. Raises settings.RefusedError."""
    prefix = engine.project_name(project)
    values = {f"{prefix}:{key}": each if isinstance(each, str) else json.dumps(each) for key, each in whole.items()}
    encrypted = [f"{prefix}:registry"]
    return settings.checked(values, encrypted=encrypted, stack=name, project=project).settings


def _prepare(request: Request, read: config.Settings, undo: ExitStack) -> None:
    """Make what the backend stands on: a folder, or a bucket."""
    parts = urlsplit(request.backend)
    if parts.scheme == "s3":
        state_bucket.ensure(parts.netloc, read.aws, undo=undo.callback)
    elif parts.scheme == "file":
        folder = Path(parts.netloc + parts.path).expanduser()
        if not folder.exists():
            folder.mkdir(parents=True)
            undo.callback(shutil.rmtree, folder)


def _forget(pulumi: Callable[..., str], name: str) -> None:
    """Take the stack back, where it came to be. Without --force: pulumi keeps one that has resources."""
    if name in [each["name"] for each in json.loads(pulumi("stack", "ls", "--json"))]:
        pulumi("stack", "rm", name, "--yes")
