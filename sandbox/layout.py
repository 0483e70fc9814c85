"""The paths of the embedded cloud: one folder in the checkout, one cache, and one folder for sockets."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CGROUP = "ejemplo-django-sandbox"
"""The control group of all containers of the machine, in /sys/fs/cgroup."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one checkout's sandbox. `checkout` is the folder with Pulumi.yaml."""

    checkout: Path

    @property
    def root(self) -> Path:
        """Everything the sandbox writes, except the cache and the sockets."""
        return self.checkout / ".sandbox"

    @property
    def bin(self) -> Path:
        """The commands that `.sandbox/env` puts first on PATH."""
        return self.root / "bin"

    @property
    def etc(self) -> Path:
        """Generated configuration, keys and certificates."""
        return self.root / "etc"

    @property
    def logs(self) -> Path:
        """One log per service, and those of the machine and the supervisor."""
        return self.root / "logs"

    @property
    def aws_calls(self) -> Path:
        """The log of calls to the AWS API (sandbox.aws.calls)."""
        return self.logs / "aws-calls.jsonl"

    @property
    def run(self) -> Path:
        """The sockets. They are outside of the checkout, since a socket's path has at most 107 bytes (unix(7))."""
        return Path("/run") / f"ejemplo-{hashlib.sha256(bytes(self.checkout)).hexdigest()[:8]}"

    @property
    def tools(self) -> Path:
        """Links to the toolchain's binaries, each made once its tool is available."""
        return self.root / "tools"

    @property
    def var(self) -> Path:
        """The machine's own /var: etcd, images, the registry's blobs, the pods' volumes."""
        return self.root / "var"

    @property
    def secrets(self) -> Path:
        """Random keys and passwords of this sandbox, readable only by their owner."""
        return self.root / "secrets"

    @property
    def ecr_key(self) -> Path:
        """The key that signs ECR's passwords, with which its registry verifies them."""
        return self.secrets / "ecr-key"

    @property
    def ecr_password_life(self) -> Path:
        """The file with the lifetime of new ECR passwords, in seconds. Without the file: 12 hours, as on AWS."""
        return self.etc / "ecr-password-seconds"

    @property
    def authenticator(self) -> Path:
        """The files EKS' authenticator reads: its certificate, its cluster, and the mapping of principals."""
        return self.etc / "authenticator"

    @property
    def certificates(self) -> Path:
        """Issued ACM certificates with their keys, for the load balancers: one PEM per certificate id."""
        return self.secrets / "acm"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def kubectl_cache(self) -> Path:
        """The API cache of kubectl, which is in the user's home by default."""
        return self.root / "kubectl"

    @property
    def ca(self) -> Path:
        """The certificate of the authority that issues those of the registry, the API server and ACM."""
        return self.root / "ca.crt"

    @property
    def docker_socket(self) -> Path:
        """The Docker daemon's socket."""
        return self.run / "docker.sock"

    @property
    def containerd_socket(self) -> Path:
        """Containerd's socket."""
        return self.run / "containerd.sock"

    @property
    def supervisor_socket(self) -> Path:
        """The supervisor's control socket."""
        return self.run / "supervisor.sock"

    @property
    def cache(self) -> Path:
        """Downloads and builds, shared by all checkouts: `$XDG_CACHE_HOME/ejemplo-django`."""
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ejemplo-django"


def here() -> Layout:
    """Return the layout of the checkout that this package is part of."""
    return Layout(Path(__file__).resolve().parent.parent)
