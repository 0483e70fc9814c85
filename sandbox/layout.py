"""Where everything of the embedded cloud lives: one folder in the checkout, one link, one cache."""

import os
from dataclasses import dataclass
from pathlib import Path

LINK = "edsandbox0"
"""The host's end of the virtual Ethernet pair; at most 15 characters (Linux IFNAMSIZ)."""

HOST_ADDRESS = "10.213.7.1"
"""The host's own address on the link."""

NODE_ADDRESS = "10.213.7.2"
"""The machine's address: the node, the API server, the registry, the name server and the AWS endpoint."""

ECR_ADDRESS = "10.213.7.3"
"""The machine's other address: ECR's registry. AWS keeps the first four of a subnet, so no balancer gets it."""

NETWORK = "10.213.7.0/24"
"""The link's network, and the VPC's and subnet's range in EC2: balancers get their addresses from it."""

NAME_SERVERS = "10.213.7.128/25"
"""The addresses of Route 53's name servers: the upper half of the network, which no balancer reaches."""

WORLD = "the world"
"""The caller reference of the hosted zones that the DNS leads to without this account's doing."""

PARENT_ZONE = "example.test"
"""The hosted zone in the account from the beginning, which the world knows; `.test` is reserved (RFC 6761)."""

UPSTREAM_DNS = "10.0.2.3"
"""slirp4netns answers DNS there on behalf of the host's own resolver (slirp4netns(1))."""

POD_NETWORK = "10.244.0.0/16"
"""The pods' addresses (kubeadm's customary range)."""

SERVICE_NETWORK = "10.96.0.0/16"
"""The cluster addresses of Services (kubeadm's customary range)."""

CGROUP = "ejemplo-django-sandbox"
"""The control group under which every container of the machine runs."""

NODE = "sandbox-node"
"""The Kubernetes node's name."""

CLUSTER = "sandbox"
"""The cluster's name in AWS tags and in the kubeconfig."""

REGION, ZONE = "us-east-1", "us-east-1a"
"""The AWS region and the zone of the only node."""

REGISTRY = "registry.example.test:5000"
"""The private registry."""

ECR_DOMAIN = f".dkr.ecr.{REGION}.amazonaws.com"
"""What the names of ECR's registries in the region end with, after the account's number."""

REGISTRY_USER = "sandbox"
"""The registry's only user."""

AWS_ENDPOINT = f"http://{NODE_ADDRESS}:4566"
"""Every AWS API, as moto serves it."""

STS_HOST = f"sts.{REGION}.amazonaws.com"
"""The only name of STS in this region that EKS' authenticator asks about a token; the machine knows it as moto's."""

AWS_USER = "sandbox"
"""The IAM user whose credentials everything on the sandbox has unless it is given others."""

BASE_IMAGE = "python:3.11-slim-bookworm"
"""The name under which the slim base image is known to the sandbox's Docker daemon."""

PAUSE_IMAGE = "sandbox/pause:1"
"""The image of the process that holds a pod's namespaces."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one checkout's sandbox. `checkout` is the folder that holds Pulumi.yaml."""

    checkout: Path

    @property
    def root(self) -> Path:
        """Everything the sandbox writes, but the cache."""
        return self.checkout / ".sandbox"

    @property
    def bin(self) -> Path:
        """The commands that `env` puts first on PATH."""
        return self.root / "bin"

    @property
    def etc(self) -> Path:
        """Rendered configuration, keys and certificates."""
        return self.root / "etc"

    @property
    def logs(self) -> Path:
        """One log per service, and the machine's and the supervisor's own."""
        return self.root / "logs"

    @property
    def aws_calls(self) -> Path:
        """Who called what of AWS (sandbox.cloud.calls)."""
        return self.logs / "aws-calls.jsonl"

    @property
    def run(self) -> Path:
        """Sockets and process ids."""
        return self.root / "run"

    @property
    def var(self) -> Path:
        """The machine's own /var: etcd, images, the registry's blobs, the pods' volumes."""
        return self.root / "var"

    @property
    def secrets(self) -> Path:
        """What was made at random for this sandbox; readable by its owner alone."""
        return self.root / "secrets"

    @property
    def ecr_key(self) -> Path:
        """What signs ECR's passwords, so that its registry knows them from those that it never gave."""
        return self.secrets / "ecr-key"

    @property
    def ecr_password_life(self) -> Path:
        """How many seconds the passwords last that ECR gives from now on; 12 hours, as on AWS, without the file."""
        return self.etc / "ecr-password-seconds"

    @property
    def certificates(self) -> Path:
        """Where ACM hands issued certificates with their keys to the balancers, one PEM per certificate id."""
        return self.secrets / "acm"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def kubectl_cache(self) -> Path:
        """What kubectl remembers of the API; left alone, it would in the user's home."""
        return self.root / "kubectl"

    @property
    def ca(self) -> Path:
        """The authority that the registry's, the API server's and ACM's certificates come from."""
        return self.root / "ca.crt"

    @property
    def docker_socket(self) -> Path:
        """The Docker daemon's socket."""
        return self.run / "docker.sock"

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's control socket."""
        return self.run / "supervisor.sock"

    @property
    def cache(self) -> Path:
        """What is fetched or built once for every checkout: `$XDG_CACHE_HOME/ejemplo-django`."""
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ejemplo-django"


def here() -> Layout:
    """The layout of the checkout that this package is part of."""
    return Layout(Path(__file__).resolve().parent.parent)
