"""EKS' own authenticator: whose an API token is, and who that is in Kubernetes.

It runs as the authenticator of the cluster that EKS has, whose name is part of what a token signs, and begins anew
when that is another one. Before the first there is nobody whom it would let in.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from sandbox import addresses
from sandbox.layout import Layout, here

Mapping = dict[str, list[Any]]

BINARY = "AUTHENTICATOR"
"""Environment variable: the path of aws-iam-authenticator."""

NOBODY: Mapping = {"mapUsers": [], "mapRoles": [], "mapAccounts": []}
"""A mapping that lets nobody in."""


def publish(layout: Layout, *, cluster: str, mapping: Mapping) -> None:
    """Say of which cluster the authenticator is, and whom it lets in; the name is empty when there is no cluster."""
    folder = layout.authenticator
    folder.mkdir(exist_ok=True)
    # In place: the authenticator watches the file itself, and would see one that was moved there a second later.
    (folder / "mapping.json").write_text(json.dumps(mapping))
    (folder / "cluster").write_text(cluster)


def run(folder: Path, cluster: str) -> subprocess.Popen[bytes]:
    """Start the authenticator for the cluster of that name; `folder` has its certificate and its mapping."""
    return subprocess.Popen(
        [
            # However this process ends, the next one must find the port free.
            *("setpriv", "--pdeathsig", "KILL", "--", os.environ[BINARY]),
            "server",
            f"--cluster-id={cluster or 'none'}",
            f"--config={folder / 'config.yaml'}",
            f"--address={addresses.NODE_ADDRESS}",
            f"--port={addresses.AUTHENTICATOR_PORT}",
            f"--state-dir={folder}",
            "--kubeconfig-pregenerated=true",
            "--backend-mode=DynamicFile",
        ],
        env={**os.environ, "SSL_CERT_FILE": str(here().ca), "AWS_EC2_METADATA_DISABLED": "true"},
    )


def main() -> None:
    """Serve until the authenticator ends by itself."""
    folder = here().authenticator
    while True:
        cluster = (folder / "cluster").read_text()
        process = run(folder, cluster)
        while (folder / "cluster").read_text() == cluster:
            if process.poll() is not None:
                raise SystemExit(f"the authenticator ended with {process.returncode}")
            time.sleep(0.2)
        process.kill()  # asked to terminate, it stops watching the mapping and serves on
        process.wait()


if __name__ == "__main__":
    main()
