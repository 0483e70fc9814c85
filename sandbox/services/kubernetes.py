"""The control plane of Kubernetes, and its store.

The flags here and in `node` are documented in each component's reference:
https://kubernetes.io/docs/reference/command-line-tools-reference/.
"""

import subprocess

import yaml

from sandbox import addresses, pki
from sandbox.layout import Layout
from sandbox.services.service import KUBERNETES, Service, http, https

VOLUME_PLUGINS = "/var/lib/kubelet/volume-plugins"
"""The controller manager and the kubelet make this folder; by default it is in the host's /usr."""

NO_LEADER = "--leader-elect=false"
"""Each component has one instance, so that no leader has to be elected."""

_NODE = addresses.NODE_ADDRESS
_MASTERS = "system:masters"
_FRONT = "front-proxy"
_FIRST_SERVICE = "10.96.0.1"
"""The address of the API server's own Service: the first of SERVICE_NETWORK."""


def services(layout: Layout) -> list[Service]:
    """Return the store, the API server, the controllers and the scheduler."""
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
                # The other name, from the cloud controller, resolves only in EC2.
                "--kubelet-preferred-address-types=InternalIP",
                f"--kubelet-client-certificate={etc / 'apiserver-kubelet.client.pem'}",
                f"--kubelet-client-key={etc / 'apiserver-kubelet.client.pem'}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={secrets / 'service-account.key'}",
                f"--service-account-signing-key-file={secrets / 'service-account.key'}",
                "--allow-privileged=true",
                f"--authentication-token-webhook-config-file={etc / 'authenticator.kubeconfig'}",
                # The identity with which it forwards requests to servers of other APIs, and the headers with the user.
                f"--proxy-client-cert-file={etc / f'{_FRONT}.client.pem'}",
                f"--proxy-client-key-file={etc / f'{_FRONT}.client.pem'}",
                f"--requestheader-client-ca-file={layout.ca}",
                f"--requestheader-allowed-names={_FRONT}",
                "--requestheader-username-headers=X-Remote-User",
                "--requestheader-group-headers=X-Remote-Group",
                "--requestheader-extra-headers-prefix=X-Remote-Extra-",
                # Connect to them directly. Connections by the proxy's rules outlive both ends by minutes, and keep the
                # machine's network link for that time.
                "--enable-aggregator-routing=true",
            ],
            configure=lambda: _configure_apiserver(layout),
            where=addresses.API_SERVER,
            healthy=https(f"{addresses.API_SERVER}/readyz", layout.ca),
            needs=("etcd", KUBERNETES),
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
                # 15 s by default, a long wait for a user who tries autoscaling.
                "--horizontal-pod-autoscaler-sync-period=5s",
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


def kubectl(layout: Layout, *arguments: str, stdin: str | None = None) -> None:
    """Run the sandbox's kubectl as administrator. Raises subprocess.CalledProcessError."""
    command = [str(layout.tools / "kubectl"), f"--kubeconfig={layout.kubeconfig}"]
    command += [f"--cache-dir={layout.kubectl_cache}", *arguments]
    subprocess.run(command, input=stdin, capture_output=True, text=True, check=True)


def _configure_apiserver(layout: Layout) -> None:
    """Write its keys and certificates, the administrator's kubeconfig, and its own for EKS' authenticator."""
    pki.service_account_key(layout)
    pki.server(layout, "apiserver", _NODE, _FIRST_SERVICE, "kubernetes.default.svc", "localhost")
    pki.client(layout, "apiserver-kubelet", user="kube-apiserver-kubelet-client", group=_MASTERS)
    pki.client(layout, _FRONT, user=_FRONT)
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
