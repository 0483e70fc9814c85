"""Where everything of the embedded cloud lives on disk: one folder in the checkout, and one cache."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CGROUP = "ejemplo-django-sandbox"
"""The control group under which every container of the machine runs, in /sys/fs/cgroup."""


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
        """Who called what of AWS (sandbox.aws.calls)."""
        return self.logs / "aws-calls.jsonl"

    @property
    def run(self) -> Path:
        """The sockets, outside of the checkout: the path of one has at most 107 bytes (unix(7))."""
        return Path("/run") / f"ejemplo-{hashlib.sha256(bytes(self.checkout)).hexdigest()[:8]}"

    @property
    def tools(self) -> Path:
        """A link to each of the toolchain's binaries, wherever it is; made when the tool is there."""
        return self.root / "tools"

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
    def authenticator(self) -> Path:
        """What EKS' authenticator reads: its certificate, its cluster, and whom it lets in."""
        return self.etc / "authenticator"

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
    def containerd_socket(self) -> Path:
        """Containerd's socket."""
        return self.run / "containerd.sock"

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
