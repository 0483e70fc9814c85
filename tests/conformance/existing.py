"""The driver `existing`: the cluster is somebody else's, and what is done to it is that somebody's doing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import api_server, stack as stacks
from tests.conformance.api_server import ApiServer
from tests.conformance.stack import CLUSTER_WITH_WORK, WORK, Stack
from tests.kops import world as aws

_INFO = (
    "bootID",
    "containerRuntimeVersion",
    "kernelVersion",
    "kubeProxyVersion",
    "kubeletVersion",
    "machineID",
    "osImage",
    "systemUUID",
)
"""What the API demands of a node besides."""
_WORK = f"/api/v1/namespaces/default/secrets/{WORK}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """An API server, and its owner."""

    makes = False
    stack: Stack
    api: ApiServer

    def secrets(self) -> set[str]:
        """The authority's certificate and the token."""
        return {self.api.ca_data, self.api.token}

    def grow(self) -> None:
        """A machine of EC2 joins."""
        number = self.nodes()
        node = {
            "metadata": {"name": f"node-{number}"},
            "spec": {"providerID": f"aws:///us-east-1a/i-{number}"},
            "status": {
                "nodeInfo": dict.fromkeys(_INFO, "")
                | {"kubeletVersion": "v1.34.4", "operatingSystem": "linux", "architecture": "amd64"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        self.api.post("/api/v1/nodes", node)

    def nodes(self) -> int:
        """Those of the API."""
        return len((self.api.get("/api/v1/nodes") or {})["items"])

    def upgrade(self) -> None:
        """The owner puts another API server in its place, with its own address and authority."""
        self.api.move()
        self._hand_out()

    def version(self) -> str:
        """The address: it is the same program that runs there."""
        return self.api.url

    def hinder(self) -> str:
        """The API server is away when it is needed."""
        self.api.stop()
        return self.api.url

    def mend(self) -> None:
        """It is back, elsewhere."""
        self.api.move()
        self._hand_out()

    def meddle(self) -> None:
        """Somebody deletes what the program put there."""
        self.api.delete(_WORK)

    def meddled(self) -> bool:
        """Whether it is gone."""
        return self.api.get(_WORK) is None

    def expire(self) -> str:
        """The API server knows the token no longer."""
        self.api.renew("the-next-token")
        return "provide credentials"

    def renew(self) -> None:
        """The owner hands out the new one."""
        self._hand_out()

    def left(self) -> set[str]:
        """What the program put there; the cluster itself stays."""
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
