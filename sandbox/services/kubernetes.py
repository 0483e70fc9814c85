"""The control plane of Kubernetes, and its store.

Flags that are not explained here, nor in `node`, are those of the component's own reference:
https://kubernetes.io/docs/reference/command-line-tools-reference/.
"""

import yaml

from sandbox import addresses, pki
from sandbox.layout import Layout
from sandbox.services.service import Service, http, https

VOLUME_PLUGINS = "/var/lib/kubelet/volume-plugins"
"""The controller manager and the kubelet make it; by default it lies in the host's /usr."""

NO_LEADER = "--leader-elect=false"
"""There is one of each component."""

_NODE = addresses.NODE_ADDRESS
_MASTERS = "system:masters"
_FIRST_SERVICE = "10.96.0.1"
"""The API server's own Service: the first address of SERVICE_NETWORK."""


def services(layout: Layout) -> list[Service]:
    """The store, the API server, the controllers and the scheduler."""
    etc, secrets = layout.etc, layout.secrets
    return [
        Service(
            name="etcd",
            what="Kubernetes store",
            command=[
                "etcd",
                "--data-dir=/var/lib/etcd",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                f"--listen-metrics-urls=http://{_NODE}:2381",
            ],
            where="inside the machine",
            healthy=http(f"http://{_NODE}:2381/health"),
        ),
        Service(
            name="apiserver",
            what="Kubernetes API",
            command=[
                str(layout.tools / "kube-apiserver"),
                f"--advertise-address={_NODE}",
                f"--bind-address={_NODE}",
                "--secure-port=6443",
                "--etcd-servers=http://127.0.0.1:2379",
                f"--service-cluster-ip-range={addresses.SERVICE_NETWORK}",
                "--authorization-mode=Node,RBAC",
                f"--client-ca-file={layout.ca}",
                f"--tls-cert-file={etc / 'apiserver.pem'}",
                f"--tls-private-key-file={etc / 'apiserver.pem'}",
                f"--kubelet-certificate-authority={layout.ca}",
                # The node's other name, which the cloud controller gives it, is known to EC2 alone.
                "--kubelet-preferred-address-types=InternalIP",
                f"--kubelet-client-certificate={etc / 'apiserver-kubelet.client.pem'}",
                f"--kubelet-client-key={etc / 'apiserver-kubelet.client.pem'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={secrets / 'service-account.key'}",
                f"--service-account-signing-key-file={secrets / 'service-account.key'}",
                "--allow-privileged=true",
                f"--authentication-token-webhook-config-file={etc / 'authenticator.kubeconfig'}",
            ],
            configure=lambda: _configure_apiserver(layout),
            where=addresses.API_SERVER,
            healthy=https(f"{addresses.API_SERVER}/readyz", layout.ca),
            needs=("etcd", "kubernetes tools"),
        ),
        Service(
            name="controller-manager",
            what="Kubernetes controllers",
            command=[
                str(layout.tools / "kube-controller-manager"),
                f"--kubeconfig={etc / 'controller-manager.kubeconfig'}",
                f"--bind-address={_NODE}",
                f"--cluster-name={addresses.CLUSTER}",
                f"--root-ca-file={layout.ca}",
                f"--service-account-private-key-file={secrets / 'service-account.key'}",
                "--use-service-account-credentials=true",
                f"--flex-volume-plugin-dir={VOLUME_PLUGINS}",
                NO_LEADER,
            ],
            configure=lambda: pki.client(layout, "controller-manager", user="system:kube-controller-manager"),
            where=f"{_NODE}:10257",
            healthy=https(f"https://{_NODE}:10257/healthz", None),
            needs=("apiserver",),
        ),
        Service(
            name="scheduler",
            what="Kubernetes scheduler",
            command=[
                str(layout.tools / "kube-scheduler"),
                f"--kubeconfig={etc / 'scheduler.kubeconfig'}",
                f"--bind-address={_NODE}",
                NO_LEADER,
            ],
            configure=lambda: pki.client(layout, "scheduler", user="system:kube-scheduler"),
            where=f"{_NODE}:10259",
            healthy=https(f"https://{_NODE}:10259/healthz", None),
            needs=("apiserver",),
        ),
    ]


def _configure_apiserver(layout: Layout) -> None:
    """Its keys, the administrator's way to it, and its own way to EKS' authenticator."""
    pki.service_account_key(layout)
    pki.server(layout, "apiserver", _NODE, _FIRST_SERVICE, "kubernetes.default.svc", "localhost")
    pki.client(layout, "apiserver-kubelet", user="kube-apiserver-kubelet-client", group=_MASTERS)
    pki.client(layout, "admin", user="admin", group=_MASTERS).rename(layout.kubeconfig)
    cluster = {
        "server": f"https://{_NODE}:{addresses.AUTHENTICATOR_PORT}/authenticate",
        "certificate-authority": str(layout.ca),
    }
    webhook = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "webhook",
        "clusters": [{"name": "authenticator", "cluster": cluster}],
        "contexts": [{"name": "webhook", "context": {"cluster": "authenticator", "user": "apiserver"}}],
        "users": [{"name": "apiserver", "user": {}}],
    }
    (layout.etc / "authenticator.kubeconfig").write_text(yaml.safe_dump(webhook))
