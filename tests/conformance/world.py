"""What a driver has around it in the tests: how its cluster is asked for, looked at, and interfered with."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tests.conformance.stack import WORK, Stack


class Api(Protocol):
    """The API server behind a kubeconfig, asked as its administrator."""

    def get(self, path: str) -> dict[str, Any] | None:
        """What is at a path; None where there is nothing."""


class World(Protocol):
    """A stack with one driver, and everything that is not the program's doing."""

    @property
    def makes(self) -> bool:
        """Whether the driver makes and changes the cluster; otherwise somebody else does, and the program uses it."""

    @property
    def stack(self) -> Stack:
        """The stack, which the world configures."""

    @property
    def api(self) -> Api:
        """What the kubeconfig leads to."""

    def secrets(self) -> set[str]:
        """Credentials, and other texts of the kubeconfig, that nobody may read in the state."""

    def grow(self) -> None:
        """Have one node more: by the settings, or by the cluster's owner."""

    def nodes(self) -> int:
        """How many there are."""

    def upgrade(self) -> None:
        """Have a newer Kubernetes: by the settings, or by the cluster's owner."""

    def version(self) -> str:
        """What tells the Kubernetes before an upgrade from that after it."""

    def hinder(self) -> str:
        """Let the next `up` fail half way; gives words that its error must have."""

    def mend(self) -> None:
        """Take back what `hinder` did."""

    def meddle(self) -> None:
        """Change something that the program has made, behind its back."""

    def meddled(self) -> bool:
        """Whether that change is still there."""

    def expire(self) -> str:
        """Let the credentials run out; gives words that the error must have."""

    def renew(self) -> None:
        """Have new ones."""

    def left(self) -> set[str]:
        """What there is of the cluster: machines, networks, objects in the store, ...; empty before the first `up`."""


Make = Callable[[Path], AbstractContextManager[World]]
"""Makes a world in an empty folder, with everything configured and nothing deployed."""


def work(world: World) -> str | None:
    """The identity of what the program keeps in the cluster; None where it is not."""
    found = world.api.get(f"/api/v1/namespaces/default/secrets/{WORK}")
    return None if found is None else str(found["metadata"]["uid"])
