"""A cluster with the real controllers on a real API server; a few lines of code replace its machines."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import requests

from tests.conformance import api_server
from tests.conformance.api_server import ApiServer
from tests.tools import tools

BALANCER = "a0b1c2-1.us-east-1.elb.amazonaws.com"
"""The host name that AWS's cloud controller would give the Service."""

_CONTROLLERS = ("deployment", "replicaset", "job", "cronjob", "garbage-collector", "namespace", "serviceaccount")
_READY = [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]

Status = Callable[[dict[str, Any]], dict[str, Any] | None]
"""Returns the status to give to an object; None to leave it as it is."""


@contextmanager
def running(folder: Path) -> Iterator[ApiServer]:
    """Run an API server with an EC2 node, where every pod is ready and every Job done as soon as it exists."""
    with api_server.running(folder, "--enable-garbage-collector=true") as api:
        (folder / "kubeconfig").write_text(api.kubeconfig())
        api.join("node-0", machine="aws:///us-east-1a/i-0")
        with (folder / "controllers.log").open("wb") as log:
            controllers = subprocess.Popen(
                [
                    tools()["kube-controller-manager"],
                    f"--kubeconfig={folder / 'kubeconfig'}",
                    "--bind-address=127.0.0.1",
                    "--secure-port=0",
                    "--leader-elect=false",
                    f"--controllers={','.join(f'{each}-controller' for each in _CONTROLLERS)}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            for path, status in (("/api/v1/pods", _pod), ("/api/v1/services", _service)):
                Thread(target=_keep, args=(api, path, status), daemon=True).start()
            yield api
        finally:
            controllers.kill()
            controllers.wait()


def _pod(pod: dict[str, Any]) -> dict[str, Any] | None:
    if pod["status"].get("phase") != "Pending" or pod["metadata"].get("deletionTimestamp"):
        return None
    if "job-name" in pod["metadata"].get("labels", {}):
        return {"phase": "Succeeded"}
    return {"phase": "Running", "conditions": _READY}


def _service(service: dict[str, Any]) -> dict[str, Any] | None:
    if service["spec"]["type"] != "LoadBalancer" or service["status"]["loadBalancer"]:
        return None
    return {"loadBalancer": {"ingress": [{"hostname": BALANCER}]}}


def _keep(api: ApiServer, path: str, status: Status) -> None:
    """Give every object its status until the API server ends."""
    session = requests.Session()
    session.trust_env = False  # otherwise an authority from the environment would replace this one
    session.verify, session.headers["Authorization"] = str(api.folder / "ca.pem"), f"Bearer {api.token}"
    while api.process is not None:
        try:
            with session.get(f"{api.url}{path}?watch=1", stream=True, timeout=600) as events:
                for line in events.iter_lines():
                    event = json.loads(line)
                    found = event["object"]
                    wanted = status(found) if event["type"] in ("ADDED", "MODIFIED") else None
                    if wanted is None:
                        continue
                    space, kind = found["metadata"]["namespace"], path.rpartition("/")[2]
                    session.patch(
                        f"{api.url}/api/v1/namespaces/{space}/{kind}/{found['metadata']['name']}/status",
                        json={"status": wanted},
                        headers={"Content-Type": "application/merge-patch+json"},
                        timeout=10,
                    )
        except requests.RequestException:
            continue
