"""metrics-server, started on request: it measures the pods' CPU and memory, for autoscaling."""

import base64
import json
import subprocess
from typing import Any

import yaml

from sandbox import addresses, pki
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.services.kubernetes import kubectl
from sandbox.services.service import KUBERNETES, Service, https

NAME = "metrics-server"
"""The name of the service, and of the Kubernetes Service through which the API server reaches it."""

_NODE = addresses.NODE_ADDRESS
_PORT = 4443
_SPACE = "kube-system"
_API = "v1beta1.metrics.k8s.io"


def asked_for(layout: Layout, stack: str) -> bool:
    """Return whether the stack's file has `app.scale.max`; False for an invalid file, which the program refuses."""
    try:
        place: Any = yaml.safe_load((layout.checkout / f"Pulumi.{stack}.yaml").read_text())
    except (OSError, yaml.YAMLError):
        return False
    for key in ("config", "ejemplo-django:app", "scale", "max"):
        place = place.get(key) if isinstance(place, dict) else None
    return place is not None


def service(layout: Layout) -> Service:
    """Return metrics-server, which runs outside of the cluster like every component."""
    etc = layout.etc
    kubeconfig = etc / f"{NAME}.kubeconfig"
    return Service(
        name=NAME,
        what="what pods take of CPU",
        command=[
            str(layout.tools / "metrics-server"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={_NODE}",
            f"--secure-port={_PORT}",
            f"--tls-cert-file={etc / f'{NAME}.pem'}",
            f"--tls-private-key-file={etc / f'{NAME}.pem'}",
            # The node's other name resolves only in EC2.
            "--kubelet-preferred-address-types=InternalIP",
            # The minimum: autoscaling waits for two measurements.
            "--metric-resolution=10s",
            "--kubelet-request-timeout=5s",  # must be shorter than the resolution
        ],
        configure=lambda: _configure(layout),
        where=f"https://{_NODE}:{_PORT}",
        healthy=https(f"https://{_NODE}:{_PORT}/livez", layout.ca),
        needs=("apiserver", "kubelet", KUBERNETES),
    )


def register(layout: Layout, patience: int) -> None:
    """Register it for metrics.k8s.io. Raises SandboxError when that takes longer than `patience` seconds."""
    metadata = {"name": NAME, "namespace": _SPACE}
    port = {"name": "https", "protocol": "TCP", "port": _PORT}
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{**port, "port": 443}]}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": NAME}},
            "addressType": "IPv4",
            "ports": [port],
            "endpoints": [{"addresses": [_NODE]}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": _API},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "service": metadata,
                "caBundle": base64.b64encode(layout.ca.read_bytes()).decode(),
            },
        },
    ]
    content = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    try:
        kubectl(layout, "apply", "--filename=-", stdin=content)
        kubectl(layout, "wait", f"apiservice/{_API}", "--for=condition=Available", f"--timeout={patience}s")
    except subprocess.CalledProcessError as error:
        raise SandboxError(
            "The cluster has no metrics.",
            why=error.stderr.strip(),
            do="metrics-server's log has the reason.",
            log=layout.logs / f"{NAME}.log",
        ) from error


def _configure(layout: Layout) -> None:
    pki.server(layout, NAME, _NODE, f"{NAME}.{_SPACE}.svc")
    pki.client(layout, NAME, user=NAME, group="system:masters")
