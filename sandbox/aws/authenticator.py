"""EKS' own authenticator: it maps API tokens to IAM principals, and these to Kubernetes users.

A token signs the name of its cluster, so the authenticator restarts when EKS has another cluster. Before the first
cluster it lets nobody in.
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
    """Write the authenticator's cluster and mapping; the name is empty when there is no cluster."""
    folder = layout.authenticator
    folder.mkdir(exist_ok=True)
    # Written in place: the authenticator watches the file, and notices a replaced one a second later.
    (folder / "mapping.json").write_text(json.dumps(mapping))
    (folder / "cluster").write_text(cluster)


def run(folder: Path, cluster: str) -> subprocess.Popen[bytes]:
    """Start the authenticator for a cluster; `folder` has its certificate and its mapping."""
    return subprocess.Popen(
        [
            # Frees the port for the next one, in whatever way this process ends.
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
    """Run the authenticator, for one cluster after the other, until it ends by itself."""
    folder = here().authenticator
    while True:
        cluster = (folder / "cluster").read_text()
        process = run(folder, cluster)
        while (folder / "cluster").read_text() == cluster:
            if process.poll() is not None:
                raise SystemExit(f"the authenticator ended with {process.returncode}")
            time.sleep(0.2)
        process.kill()  # on SIGTERM it stops watching the mapping but goes on serving
        process.wait()


if __name__ == "__main__":
    main()
