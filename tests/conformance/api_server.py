"""A real Kubernetes API server on loopback with its own etcd: the cluster that a driver leads to.

No node runs anything. A test that needs a node creates its object.
"""

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.tools import tools

TOKEN = "the-first-token"
"""The token that it accepts until `renew` sets another."""

_NODE = (
    *("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion"),
    *("machineID", "osImage", "systemUUID"),
)
"""The fields of `nodeInfo` that the API requires and no test sets."""
_PATIENCE = 240
"""Seconds that the API server may take to be ready; on an idle machine it takes six."""


@dataclass(slots=True)
class ApiServer:
    """An API server that can be stopped, and started at another address with the same objects."""

    folder: Path
    store: str
    """The address of its etcd."""
    binary: Path
    flags: tuple[str, ...] = ()
    """Further flags; they override its own."""
    token: str = TOKEN
    port: int = 0
    authority: trustme.CA = field(default_factory=trustme.CA)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://127.0.0.1:{self.port}"

    def move(self) -> None:
        """Stop it, and start it at another address with another authority."""
        self.stop()
        self.port, self.authority = _free_port(), trustme.CA()
        self.start()

    def renew(self, token: str) -> None:
        """Restart it at the same address with another token; the old one is refused from then on."""
        self.stop()
        self.token = token
        self.start()

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        (self.folder / "tokens.csv").write_text(f"{self.token},tester,1,system:masters\n")
        leaf = self.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
        leaf.private_key_and_cert_chain_pem.write_to_path(self.folder / "server.pem")
        self.authority.cert_pem.write_to_path(self.folder / "ca.pem")
        command = [
            str(self.binary),
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--etcd-servers={self.store}",
            f"--tls-cert-file={self.folder / 'server.pem'}",
            f"--tls-private-key-file={self.folder / 'server.pem'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.folder / 'service-account.key'}",
            f"--service-account-signing-key-file={self.folder / 'service-account.key'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            # It taints each new node, and no controller runs here that would remove the taint.
            "--disable-admission-plugins=TaintNodesByCondition",
            # No garbage collector runs here, and a deletion would wait for it.
            "--enable-garbage-collector=false",
            *self.flags,
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _PATIENCE
        while not self._ready():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
            assert time.monotonic() < deadline, "the API server is not ready"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; its address no longer answers."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def kubeconfig(self) -> str:
        """Return a kubeconfig for it, with its token."""
        cluster = {"server": self.url, "certificate-authority-data": self.ca_data}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "clusters": [{"name": "here", "cluster": cluster}],
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "tester"}}],
                "users": [{"name": "tester", "user": {"token": self.token}}],
            }
        )

    @property
    def ca_data(self) -> str:
        """The certificate of its authority, as in a kubeconfig."""
        return base64.b64encode(self.authority.cert_pem.bytes()).decode()

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the object at a path of the API, or None."""
        answer = self._ask("GET", path)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Create an object."""
        self._ask("POST", path, json=body).raise_for_status()

    def put(self, path: str, body: dict[str, Any]) -> None:
        """Replace an object, or its status."""
        self._ask("PUT", path, json=body).raise_for_status()

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._ask("DELETE", path).raise_for_status()

    def join(
        self,
        name: str,
        *,
        machine: str = "",
        platform: str = "linux/amd64",
        kubelet: str = "v1.34.4",
        ready: str = "True",
        **spec: Any,
    ) -> None:
        """Add a node that runs nothing; `machine` is its provider ID, `spec` has further fields of its spec."""
        system, _, architecture = platform.partition("/")
        info = {"kubeletVersion": kubelet, "operatingSystem": system, "architecture": architecture}
        node = {
            "metadata": {"name": name},
            "spec": {"providerID": machine, **spec},
            "status": {
                "nodeInfo": dict.fromkeys(_NODE, "") | info,
                "conditions": [{"type": "Ready", "status": ready}],
            },
        }
        self.post("/api/v1/nodes", node)

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        ca = str(self.folder / "ca.pem")
        return requests.request(method, f"{self.url}{path}", headers=headers, verify=ca, timeout=10, **options)

    def _ready(self) -> bool:
        try:
            return self._ask("GET", "/readyz").ok and self.get("/api/v1/namespaces/default") is not None
        except requests.RequestException:
            return False


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[ApiServer]:
    """Run an API server with an empty etcd."""
    folder.mkdir()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "service-account.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    binaries = tools()
    client, peer = f"http://127.0.0.1:{_free_port()}", f"http://127.0.0.1:{_free_port()}"
    etcd = shutil.which("etcd")
    assert etcd, "etcd is not installed; `make toolchain` installs it"
    with (folder / "etcd.log").open("wb") as log:
        store = subprocess.Popen(
            [
                etcd,
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                # Its data is thrown away, so it need not survive a power cut.
                "--unsafe-no-fsync",
            ],
            stdout=log,
            stderr=log,
        )
    server = ApiServer(folder=folder, store=client, binary=binaries["kube-apiserver"], flags=flags)
    try:
        server.move()
        yield server
    finally:
        server.stop()
        store.kill()
        store.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
