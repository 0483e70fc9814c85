"""The driver `existing`: the cluster belongs to somebody else, and only its owner changes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import api_server, stack as stacks
from tests.conformance.api_server import ApiServer
from tests.conformance.stack import CLUSTER_WITH_WORK, WORK, Stack
from tests.kops import world as aws

_WORK = f"/api/v1/namespaces/default/secrets/{WORK}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """The world of the driver `existing`: an API server and its owner."""

    makes = False
    stack: Stack
    api: ApiServer

    def secrets(self) -> set[str]:
        """Return the authority's certificate and the token."""
        return {self.api.ca_data, self.api.token}

    def grow(self) -> None:
        """Let an EC2 instance join."""
        number = self.nodes()
        self.api.join(f"node-{number}", machine=f"aws:///us-east-1a/i-{number}")

    def nodes(self) -> int:
        """Count the nodes in the API."""
        return len((self.api.get("/api/v1/nodes") or {})["items"])

    def upgrade(self) -> None:
        """Replace the API server, as its owner does, by one with another address and authority."""
        self.api.move()
        self._hand_out()

    def version(self) -> str:
        """Return the address; the API server is the same program before and after."""
        return self.api.url

    def hinder(self) -> str:
        """Stop the API server, so that it does not answer."""
        self.api.stop()
        return self.api.url

    def fix(self) -> None:
        """Start it again, at another address."""
        self.api.move()
        self._hand_out()

    def meddle(self) -> None:
        """Delete what the program created in the cluster."""
        self.api.delete(_WORK)

    def meddled(self) -> bool:
        """Return whether it is still deleted."""
        return self.api.get(_WORK) is None

    def expire(self) -> str:
        """Let the API server reject the token."""
        self.api.renew("the-next-token")
        return "provide credentials"

    def renew(self) -> None:
        """Write the kubeconfig with the new token, as the owner hands it out."""
        self._hand_out()

    def there(self, api: ApiServer) -> bool:
        """Return whether the program's Secret is in that cluster."""
        return api.get(_WORK) is not None

    def left(self) -> set[str]:
        """Return what the program created that is still there; the cluster itself stays."""
        assert self.api.get("/version") is not None
        return set() if self.meddled() else {_WORK}

    def _hand_out(self) -> None:
        (self.stack.folder / "kubeconfig").write_text(self.api.kubeconfig())


@contextmanager
def existing(home: Path) -> Iterator[Existing]:
    """Run an API server, and moto for the rest of the program."""
    with aws.moto() as endpoint, api_server.running(home / "api") as api:
        made = Existing(
            stack=stacks.project(home, endpoint=endpoint, program=CLUSTER_WITH_WORK, variables=aws.ACCESS), api=api
        )
        made.renew()
        made.stack.configure(driver="existing", name="cluster.example.com", kubeconfigFile="kubeconfig")
        yield made
