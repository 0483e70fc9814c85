"""The driver `existing` on the sandbox: its cluster by the kubeconfig of a ServiceAccount, and somebody who owns it."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import yaml

from sandbox import addresses
from sandbox.layout import here
from tests.conformance.stack import Stack
from tests.e2e import cloud
from tests.e2e.conformance import OBJECT, Administrator, project
from tests.e2e.forwarding import another_address
from tests.e2e.waiting import eventually

ACCOUNT = "conformance"
_ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
_QUOTAS = "/api/v1/namespaces/default/resourcequotas"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@dataclass(frozen=True, slots=True, kw_only=True)
class Existing:
    """The cluster's owner, who handed out a kubeconfig."""

    makes = False
    stack: Stack
    api: Administrator
    undo: ExitStack
    """What the owner takes back at the end."""
    handed: dict[str, Any] = field(default_factory=dict)
    """The kubeconfig's cluster and user, as they are now."""

    def secrets(self) -> set[str]:
        """The token, and the authority's certificate."""
        return {self.handed["token"], self.handed["certificate-authority-data"]}

    def grow(self) -> None:
        """A machine of EC2 joins, which runs nothing and stands behind no balancer."""
        ec2 = cloud.client("ec2")
        [machine] = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"]
        id, name = machine["InstanceId"], machine["PrivateDnsName"]
        self.undo.callback(ec2.terminate_instances, InstanceIds=[id])
        [own] = (self.api.get("/api/v1/nodes") or {})["items"]
        labels = {"node.kubernetes.io/exclude-from-external-load-balancers": ""}
        node = {
            "metadata": {"name": name, "labels": labels},
            "spec": {"providerID": f"aws:///{addresses.REGION}a/{id}", "unschedulable": True},
            "status": {"nodeInfo": own["status"]["nodeInfo"]},
        }
        self.api.post("/api/v1/nodes", node)
        self.undo.callback(self.api.delete, f"/api/v1/nodes/{name}")

    def nodes(self) -> int:
        """Those of the API."""
        return len((self.api.get("/api/v1/nodes") or {})["items"])

    def upgrade(self) -> None:
        """The owner moves the API server to another address."""
        self._hand_out(server=self.undo.enter_context(another_address()))

    def version(self) -> str:
        """The address: it is the same program that runs there."""
        return str(self.handed["server"])

    def hinder(self) -> str:
        """The owner allows no Secret more."""
        quota = {"metadata": {"name": ACCOUNT}, "spec": {"hard": {"secrets": "0"}}}
        self.api.post(_QUOTAS, quota)
        self.undo.callback(self.mend)
        return "quota"

    def mend(self) -> None:
        """The owner does."""
        self.api.delete(f"{_QUOTAS}/{ACCOUNT}")

    def meddle(self) -> None:
        """Somebody deletes what the program put there."""
        self.api.delete(OBJECT)

    def meddled(self) -> bool:
        """Whether it is gone."""
        return self.api.get(OBJECT) is None

    def expire(self) -> str:
        """The account of the token is withdrawn."""
        self.api.delete(f"{_ACCOUNTS}/{ACCOUNT}")

        def refused() -> None:
            assert self._answer() == requests.codes.unauthorized

        # The API server remembers for ten seconds a token that it found good.
        eventually(refused, within=30)
        return "provide credentials"

    def renew(self) -> None:
        """There is one of that name again, and a token."""
        self.api.post(_ACCOUNTS, {"metadata": {"name": ACCOUNT}})
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        self._hand_out(token=self.api.post(f"{_ACCOUNTS}/{ACCOUNT}/token", request)["status"]["token"])

    def left(self) -> set[str]:
        """What the program put there; the cluster itself stays."""
        assert self.nodes() > 0
        return set() if self.meddled() else {OBJECT}

    def _answer(self) -> int:
        headers, ca = {"Authorization": f"Bearer {self.handed['token']}"}, str(self.api.layout.ca)
        return requests.get(f"{addresses.API_SERVER}{_ACCOUNTS}", headers=headers, verify=ca, timeout=10).status_code

    def _hand_out(self, **changes: str) -> None:
        self.handed.update(changes)
        cluster = {name: value for name, value in self.handed.items() if name != "token"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": cluster}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": ACCOUNT}}],
            "users": [{"name": ACCOUNT, "user": {"token": self.handed["token"]}}],
        }
        (self.stack.folder / "kubeconfig").write_text(yaml.safe_dump(document))


@contextmanager
def existing(home: Path) -> Iterator[Existing]:
    """Make the account, an administrator; the owner takes back everything at the end."""
    api = Administrator(layout=here())
    authority = base64.b64encode(api.layout.ca.read_bytes()).decode()
    handed = {
        "server": addresses.API_SERVER,
        "tls-server-name": addresses.NODE_ADDRESS,
        "certificate-authority-data": authority,
    }
    with ExitStack() as undo:
        made = Existing(stack=project(home, layout=api.layout), api=api, undo=undo, handed=handed)
        undo.callback(api.delete, f"{_ACCOUNTS}/{ACCOUNT}")
        made.renew()
        binding = {
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "namespace": "default", "name": ACCOUNT}],
        }
        api.post(_BINDINGS, binding)
        undo.callback(api.delete, f"{_BINDINGS}/{ACCOUNT}")
        made.stack.configure(driver="existing", name="cluster.example.com", kubeconfigFile="kubeconfig")
        undo.callback(_destroy, made)
        yield made


def _destroy(world: Existing) -> None:
    world.stack.run("destroy", "--yes", "--skip-preview")
