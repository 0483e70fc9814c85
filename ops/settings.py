"""A stack's settings outside of a Pulumi run, by the program's own rules: `infra.settings` reads and checks them."""

import asyncio
import contextlib
import contextvars
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi.runtime.settings import Settings as Runtime

from infra.cluster.existing.settings import ExistingSettings, StackOutput
from infra.settings.load import ConfigError, load
from infra.settings.registry import LoginRegistry
from infra.settings.stack import ClusterSettings, Settings
from ops import engine
from ops.errors import OpsError


class RefusedError(OpsError):
    """The program does not accept the configuration."""

    def __init__(self, error: ConfigError) -> None:
        """Take what the program says."""
        super().__init__(str(error))
        self.problems = {each.key: f"found {each.found}, expected {each.expected}" for each in error.problems}
        """What is wrong by the path of its key, such as registry.server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack whose configuration the program accepts."""

    name: str
    settings: Settings
    values: Mapping[str, str] = field(repr=False)
    """As Pulumi hands them over: by whole keys, JSON for what is no text, secrets decrypted."""
    encrypted: Collection[str]
    """The keys with a secret in them."""
    kubeconfig: str | None = field(repr=False)
    """Secret: the contents of the file. None where the cluster, and so the file, is made by the program."""
    password: str = field(repr=False)
    """Secret: the registry's. Empty where every run gets one of its own (driver ecr)."""


def read(stack: str) -> Stack:
    """Read the stack's configuration, secrets decrypted.

    Raises OpsError when pulumi cannot give it, or for what the program refuses.
    """
    said = engine.pulumi("config", "--json", "--show-secrets", "--stack", stack)
    given: dict[str, dict[str, str]] = json.loads(said)
    return checked(
        {key: each["value"] for key, each in given.items()},
        encrypted=[key for key, each in given.items() if each["secret"]],
        stack=stack,
    )


def checked(values: Mapping[str, str], *, encrypted: Collection[str], stack: str) -> Stack:
    """Check a configuration: what is no text in it is JSON, and `encrypted` are the keys with a secret.

    Raises RefusedError with every problem, as `pulumi preview` would.
    """

    async def loaded() -> Stack:
        pulumi.runtime.configure(Runtime(project=engine.project_name(), stack=stack))
        pulumi.runtime.set_all_config(dict(values), list(encrypted))
        settings = load()
        registry = settings.registry
        return Stack(
            name=stack,
            settings=settings,
            values=values,
            encrypted=encrypted,
            kubeconfig=_kubeconfig(settings.cluster),
            password=registry.secret.get_secret_value() if isinstance(registry, LoginRegistry) else "",
        )

    # A context and an event loop of its own: what the SDK keeps in them reaches nothing that comes after.
    try:
        with contextlib.chdir(engine.PROJECT):  # the paths of files are relative to the project
            return contextvars.copy_context().run(asyncio.run, loaded())
    except ConfigError as error:
        raise RefusedError(error) from error


def _kubeconfig(cluster: ClusterSettings) -> str | None:
    if not isinstance(cluster, ExistingSettings):
        return None
    source = cluster.source
    if isinstance(source, StackOutput):
        return engine.pulumi("stack", "output", source.key, "--show-secrets", "--stack", source.stack)
    return source.get_secret_value()
