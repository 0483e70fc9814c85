"""A real Kubernetes API server on loopback, with an etcd of its own: the cluster that a driver is to end with.

It has no nodes that run anything; what a test needs of one is an object that it puts there.
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
"""The credential that it accepts, until another is taken for it."""

_PATIENCE = 240
"""Seconds that the API server may take to be ready; it takes six on a machine with nothing else to do."""


@dataclass(slots=True)
class ApiServer:
    """An API server that can be stopped, and that comes back elsewhere with what it had."""

    folder: Path
    store: str
    """The address of its etcd."""
    binary: Path
    token: str = TOKEN
    port: int = 0
    authority: trustme.CA = field(default_factory=trustme.CA)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self.port}"

    def move(self) -> None:
        """Stop it, and start it at another address with another authority."""
        self.stop()
        self.port, self.authority = _free_port(), trustme.CA()
        self.start()

    def renew(self, token: str) -> None:
        """Stop it, and start it where it was with another credential; the one before is refused from then on."""
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
            # It would keep pods off every node until a controller, which there is none of, has seen it.
            "--disable-admission-plugins=TaintNodesByCondition",
            # Nothing here collects garbage, and a deletion would wait for it.
            "--enable-garbage-collector=false",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _PATIENCE
        while not self._ready():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-4000:]
            assert time.monotonic() < deadline, "the API server is not ready"
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop it; its address answers no longer."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def kubeconfig(self) -> str:
        """A kubeconfig for it, with its credential."""
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
        """Its authority's certificate as a kubeconfig has it."""
        return base64.b64encode(self.authority.cert_pem.bytes()).decode()

    def get(self, path: str) -> dict[str, Any] | None:
        """What is at a path of the API; None where there is nothing."""
        answer = self._ask("GET", path)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, body: dict[str, Any]) -> None:
        """Make an object."""
        self._ask("POST", path, json=body).raise_for_status()

    def delete(self, path: str) -> None:
        """Delete an object."""
        self._ask("DELETE", path).raise_for_status()

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
def running(folder: Path) -> Iterator[ApiServer]:
    """Run one, with an empty etcd."""
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
                # It is thrown away: nothing in it has to outlive a power cut.
                "--unsafe-no-fsync",
            ],
            stdout=log,
            stderr=log,
        )
    server = ApiServer(folder=folder, store=client, binary=binaries["kube-apiserver"])
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
