"""The surroundings of a driver in the tests: how to request its cluster, inspect it, and interfere with it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tests.conformance.stack import WORK, Stack


class Api(Protocol):
    """The API server of the cluster, with an administrator's rights."""

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path, or None."""


class World(Protocol):
    """A stack with one driver, and everything that happens outside the program."""

    @property
    def makes(self) -> bool:
        """Whether the driver creates and changes the cluster; otherwise its owner does, and the program uses it."""

    @property
    def stack(self) -> Stack:
        """The stack, which this world configures."""

    @property
    def api(self) -> Api:
        """The API server that the kubeconfig leads to."""

    def secrets(self) -> set[str]:
        """Return the credentials and other parts of the kubeconfig that the state must not have in plain text."""

    def grow(self) -> None:
        """Request one more node: in the settings, or as the cluster's owner."""

    def nodes(self) -> int:
        """Count the nodes."""

    def upgrade(self) -> None:
        """Request a newer Kubernetes: in the settings, or as the cluster's owner."""

    def version(self) -> str:
        """Return a value that differs before and after an upgrade."""

    def hinder(self) -> str:
        """Make the next `up` fail half way; return words that its error must have."""

    def fix(self) -> None:
        """Undo `hinder`."""

    def meddle(self) -> None:
        """Change something that the program created, outside the program."""

    def meddled(self) -> bool:
        """Return whether that change is still there."""

    def expire(self) -> str:
        """Let the credentials expire; return words that the error must have."""

    def renew(self) -> None:
        """Provide valid credentials again."""

    def left(self) -> set[str]:
        """Return what exists of the cluster: machines, networks, buckets, ...; empty before the first `up`."""


Make = Callable[[Path], AbstractContextManager[World]]
"""Creates a world in an empty folder, with everything configured and nothing deployed."""


def work(world: World) -> str | None:
    """Return the UID of the program's Secret in the cluster, or None."""
    found = world.api.get(f"/api/v1/namespaces/default/secrets/{WORK}")
    return None if found is None else str(found["metadata"]["uid"])
