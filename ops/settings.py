"""A stack's settings outside of a Pulumi run, by the program's own rules: `infra.config` reads and checks them."""

import asyncio
import contextlib
import contextvars
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
from pulumi.runtime.settings import Settings as Runtime

from infra import config
from ops import engine
from ops.errors import OpsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack whose configuration the program accepts."""

    name: str
    settings: config.Settings
    kubeconfig: str | None = field(repr=False)
    """Secret: the contents of the file. None where the cluster, and so the file, is made by the program."""
    password: str = field(repr=False)
    """Secret: the registry's."""


def read(stack: str, *, project: Path = engine.PROJECT) -> Stack:
    """Read the stack's configuration, secrets decrypted.

    Raises OpsError when pulumi cannot give it, or for what `infra.config` refuses.
    """
    given = handed(stack, project=project)
    return checked(
        {key: each["value"] for key, each in given.items()},
        encrypted=[key for key, each in given.items() if each["secret"]],
        stack=stack,
        project=project,
    )


def handed(stack: str, *, project: Path = engine.PROJECT) -> dict[str, dict[str, str]]:
    """The configuration as Pulumi hands it to the program: `value` and `secret` by the whole key.

    Raises OpsError when pulumi cannot give it.
    """
    said = engine.pulumi("config", "--json", "--show-secrets", "--stack", stack, project=project)
    values: dict[str, dict[str, str]] = json.loads(said)
    return values


def checked(
    values: Mapping[str, str], *, encrypted: Collection[str], stack: str, project: Path = engine.PROJECT
) -> Stack:
    """Check a configuration: what is no text in it is JSON, and `encrypted` are the keys with a secret.

    Raises OpsError with every problem, as `pulumi preview` would.
    """

    async def load() -> Stack:
        pulumi.runtime.configure(Runtime(project=engine.project_name(project), stack=stack))
        pulumi.runtime.set_all_config(dict(values), list(encrypted))
        settings = config.load()
        return Stack(
            name=stack,
            settings=settings,
            kubeconfig=await settings.cluster.kubeconfig.future(),
            password=str(await settings.registry.password.future()),
        )

    # A context and an event loop of its own: what the SDK keeps in them reaches nothing that comes after.
    try:
        with contextlib.chdir(project):  # the paths of files are relative to the project
            return contextvars.copy_context().run(asyncio.run, load())
    except config.ConfigError as error:
        raise OpsError(str(error)) from error
