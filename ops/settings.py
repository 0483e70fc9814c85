"""A stack's settings outside of a Pulumi run, by the program's own rules: `infra.config` reads and checks them."""

import asyncio
import contextlib
import contextvars
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi.runtime.settings import Settings as Runtime

from infra import config
from infra.cluster_settings import ClusterSettings
from infra.cluster_settings.existing import ExistingSettings, StackOutput
from ops import engine
from ops.errors import OpsError


class RefusedError(OpsError):
    """The program does not accept the configuration."""

    def __init__(self, message: str) -> None:
        """Take the whole message of `infra.config`."""
        super().__init__(message)
        self.problems = dict(re.findall(r"^  - ([^:]+): (.*)$", message, flags=re.MULTILINE))
        """What is wrong by the path of its key, such as registry.server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack whose configuration the program accepts."""

    name: str
    settings: config.Settings
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

    Raises OpsError when pulumi cannot give it, or for what `infra.config` refuses.
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

    async def load() -> Stack:
        pulumi.runtime.configure(Runtime(project=engine.project_name(), stack=stack))
        pulumi.runtime.set_all_config(dict(values), list(encrypted))
        settings = config.load()
        cluster, registry = settings.cluster, settings.registry
        return Stack(
            name=stack,
            settings=settings,
            values=values,
            encrypted=encrypted,
            kubeconfig=await _kubeconfig(cluster),
            password=str(await registry.password.future()) if isinstance(registry, config.LoginRegistry) else "",
        )

    # A context and an event loop of its own: what the SDK keeps in them reaches nothing that comes after.
    try:
        with contextlib.chdir(engine.PROJECT):  # the paths of files are relative to the project
            return contextvars.copy_context().run(asyncio.run, load())
    except config.ConfigError as error:
        raise RefusedError(str(error)) from error


async def _kubeconfig(cluster: ClusterSettings) -> str | None:
    if not isinstance(cluster, ExistingSettings):
        return None
    given = cluster.kubeconfig
    if isinstance(given, StackOutput):
        return engine.pulumi("stack", "output", given.key, "--show-secrets", "--stack", given.stack)
    return await given.future()
