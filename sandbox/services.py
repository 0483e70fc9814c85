"""The services of the machine: each one's command line, and how one sees that it is healthy.

Flags that are not explained here are those of the component's own reference:
https://kubernetes.io/docs/reference/command-line-tools-reference/.
"""

import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import addresses, machine
from sandbox.aws import authenticator
from sandbox.aws.data_plane import HEALTH_PORT
from sandbox.layout import Layout
from sandbox.logins import aws_environment

N = addresses.NODE_ADDRESS

VOLUME_PLUGINS = "/var/lib/kubelet/volume-plugins"
"""The controller manager and the kubelet make it; by default it lies in the host's /usr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the machine. `needs` must be healthy before it starts; `healthy` returns or raises OSError."""

    name: str
    what: str
    command: Sequence[str]
    healthy: Callable[[], None]
    where: str
    needs: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


def table(layout: Layout, tools: dict[str, Path], python: str) -> list[Service]:
    """Every service, in no order: `needs` orders them. `tools` are the paths of the toolchain's binaries."""
    etc = layout.etc
    leader = "--leader-elect=false"  # there is one of each
    return [
        Service(
            name="moto",
            what="AWS API",
            command=[python, "-u", "-m", "sandbox.aws.server"],
            environment={name: value for name, value in aws_environment("moto").items() if name != "AWS_ENDPOINT_URL"}
            | {"MOTO_IAM_LOAD_MANAGED_POLICIES": "true"},  # AWS's own, which every account has
            where=addresses.AWS_ENDPOINT,
            healthy=_http(f"{addresses.AWS_ENDPOINT}/moto-api/"),
        ),
        Service(
            name="names",
            what="DNS, by the hosted zones",
            command=[python, "-u", "-m", "sandbox.aws.name_server"],
            environment=aws_environment("names"),
            where=f"{N}:53",
            healthy=_tcp(53),
        ),
        Service(
            name="balancers",
            what="haproxy behind the ELB API",
            command=[python, "-u", "-m", "sandbox.aws.data_plane"],
            environment=aws_environment("balancers"),
            where="the ELBs' addresses",
            healthy=_http(f"http://{N}:{HEALTH_PORT}/"),
            needs=("moto",),
        ),
        Service(
            name="registry",
            what="private registry",
            command=["docker-registry", "serve", str(etc / "registry.yaml")],
            where=f"https://{addresses.REGISTRY}",
            healthy=_https(f"https://{N}:{addresses.REGISTRY.partition(':')[2]}/", layout.ca),
        ),
        Service(
            name="ecr",
            what="ECR's registry",
            command=[python, "-u", "-m", "sandbox.aws.ecr_registry"],
            environment=aws_environment("ecr"),
            where=f"https://*{addresses.ECR_DOMAIN}",
            healthy=_https(f"https://{addresses.ECR_ADDRESS}/", layout.ca),
            needs=("moto", "registry"),
        ),
        Service(
            name="containerd",
            what="containers",
            command=["containerd", "--config", str(etc / "containerd.toml")],
            environment={"SSL_CERT_FILE": str(layout.ca)},  # beside the system's own authorities
            where=".sandbox/run/containerd.sock",
            healthy=_unix(layout.run / "containerd.sock"),
        ),
        Service(
            name="docker",
            what="Docker daemon",
            command=[
                "dockerd",
                f"--config-file={etc / 'docker.json'}",
                f"--host=unix://{layout.docker_socket}",
                f"--containerd={layout.run / 'containerd.sock'}",
                f"--cgroup-parent=/{machine.CGROUP}/docker",
            ],
            environment={"SSL_CERT_FILE": str(layout.ca)},  # beside the system's own authorities
            where=".sandbox/run/docker.sock",
            healthy=_unix(layout.docker_socket),
            needs=("containerd",),
        ),
        Service(
            name="etcd",
            what="Kubernetes store",
            command=[
                "etcd",
                "--data-dir=/var/lib/etcd",
                "--listen-client-urls=http://127.0.0.1:2379",
                "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380",
                f"--listen-metrics-urls=http://{N}:2381",
            ],
            where="inside the machine",
            healthy=_http(f"http://{N}:2381/health"),
        ),
        Service(
            name="apiserver",
            what="Kubernetes API",
            command=[
                str(tools["kube-apiserver"]),
                f"--advertise-address={N}",
                f"--bind-address={N}",
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
                f"--service-account-key-file={layout.secrets / 'service-account.key'}",
                f"--service-account-signing-key-file={layout.secrets / 'service-account.key'}",
                "--allow-privileged=true",
                f"--authentication-token-webhook-config-file={etc / 'authenticator' / 'webhook.kubeconfig'}",
            ],
            where=f"https://{N}:6443",
            healthy=_https(f"https://{N}:6443/readyz", layout.ca),
            needs=("etcd",),
        ),
        Service(
            name="authenticator",
            what="EKS' tokens",
            command=[python, "-u", "-m", "sandbox.aws.authenticator"],
            environment={authenticator.BINARY: str(tools["aws-iam-authenticator"])},
            where=f"https://{N}:{authenticator.PORT}",
            healthy=_https(f"https://{N}:{authenticator.PORT}/healthz", layout.ca),
        ),
        Service(
            name="controller-manager",
            what="Kubernetes controllers",
            command=[
                str(tools["kube-controller-manager"]),
                f"--kubeconfig={etc / 'controller-manager.kubeconfig'}",
                f"--bind-address={N}",
                f"--cluster-name={addresses.CLUSTER}",
                f"--root-ca-file={layout.ca}",
                f"--service-account-private-key-file={layout.secrets / 'service-account.key'}",
                "--use-service-account-credentials=true",
                f"--flex-volume-plugin-dir={VOLUME_PLUGINS}",
                leader,
            ],
            where=f"{N}:10257",
            healthy=_https(f"https://{N}:10257/healthz", None),
            needs=("apiserver",),
        ),
        Service(
            name="scheduler",
            what="Kubernetes scheduler",
            command=[
                str(tools["kube-scheduler"]),
                f"--kubeconfig={etc / 'scheduler.kubeconfig'}",
                f"--bind-address={N}",
                leader,
            ],
            where=f"{N}:10259",
            healthy=_https(f"https://{N}:10259/healthz", None),
            needs=("apiserver",),
        ),
        Service(
            name="kubelet",
            what="Kubernetes node",
            command=[
                str(tools["kubelet"]),
                f"--config={etc / 'kubelet.yaml'}",
                f"--kubeconfig={etc / 'kubelet.kubeconfig'}",
                f"--hostname-override={addresses.NODE}",
                f"--node-ip={N}",
                "--cloud-provider=external",
                f"--image-credential-provider-config={etc / 'credential-provider.yaml'}",
                f"--image-credential-provider-bin-dir={tools['ecr-credential-provider'].parent}",
            ],
            where=f"{N}:10250",
            healthy=_http(f"http://{N}:10248/healthz"),
            needs=("apiserver", "containerd", "instance", "pause image"),
        ),
        Service(
            name="proxy",
            what="Services on the node",
            command=[
                str(tools["kube-proxy"]),
                f"--kubeconfig={etc / 'proxy.kubeconfig'}",
                f"--hostname-override={addresses.NODE}",
                "--proxy-mode=iptables",
                f"--cluster-cidr={addresses.POD_NETWORK}",
                "--conntrack-max-per-core=0",  # the table belongs to the host's kernel
                f"--healthz-bind-address={N}",
                f"--metrics-bind-address={N}",
            ],
            where=f"{N}:10256",
            healthy=_http(f"http://{N}:10249/healthz"),
            needs=("apiserver",),
        ),
        Service(
            name="cloud-controller",
            what="AWS's cloud controller",
            command=[
                str(tools["aws-cloud-controller-manager"]),
                "--cloud-provider=aws",
                f"--cloud-config={etc / 'cloud.conf'}",
                f"--kubeconfig={etc / 'cloud-controller.kubeconfig'}",
                f"--bind-address={N}",
                f"--cluster-name={addresses.CLUSTER}",
                "--configure-cloud-routes=false",
                leader,
            ],
            environment=aws_environment("cloud-controller"),
            where=f"{N}:10258",
            healthy=_https(f"https://{N}:10258/healthz", None),
            needs=("apiserver", "instance"),
        ),
    ]


def _http(url: str) -> Callable[[], None]:
    return lambda: _get(url, None)


def _https(url: str, ca: Path | None) -> Callable[[], None]:
    """Verified against `ca`; None for the components that sign their own health port's certificate."""

    def probe() -> None:
        context = ssl.create_default_context(cafile=ca)
        if ca is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        _get(url, context)

    return probe


def _get(url: str, context: ssl.SSLContext | None) -> None:
    # Never through a proxy that the host may have set for the outside.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    with opener.open(url, timeout=2):
        pass


def _tcp(port: int) -> Callable[[], None]:
    return lambda: socket.create_connection((N, port), timeout=2).close()


def _unix(path: Path) -> Callable[[], None]:
    def probe() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))

    return probe
