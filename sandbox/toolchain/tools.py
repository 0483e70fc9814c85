"""The tools of the embedded cloud: what each is, in which version, how it is downloaded and how it is built."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.toolchain import download
from sandbox.toolchain.download import Progress

GO = Path(__file__).parent / "go"
"""The Go modules of all that is built, a folder each.

There are two, since Pulumi's plugin for Kubernetes and its bridge to Terraform need different lines of Pulumi's own
module. Where they share another module they have it in one version, so that it is compiled once."""

ENGINE = "3.259.0"
"""Pulumi's engine; the SDK in requirements.txt is of the same version."""

KUBERNETES = "v1.34.4"
"""The newest line that works with Debian 12's containerd 1.6 and with control groups of version 1."""

TERRAFORM_AWS = "6.34.0"
"""terraform-provider-aws, as the plugin AWS_PLUGIN carries it."""

AWS_PLUGIN, KUBERNETES_PLUGIN = "7.21.0", "4.25.0"
"""Pulumi's plugins; the SDKs in requirements.txt are of the same versions, which is what makes the engine take them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Binaries that come together."""

    name: str
    version: str
    binaries: tuple[str, ...]
    probe: tuple[str, ...]
    """The arguments that make a binary say its version; empty for one that cannot."""
    module: str
    """The folder of GO that builds it."""
    packages: tuple[str, ...]
    """The Go packages whose binaries it is, as seen from the module; none where it cannot be built."""
    ldflags: str
    """What the build sets in them: https://pkg.go.dev/cmd/link."""
    download: Callable[[str, Path, Progress], None] | None
    """Brings the binaries of a version to a folder; None where the publisher has none of this version."""
    about: str = ""
    """What a plugin that was built is, for whoever compares it with the official one."""

    @property
    def folder(self) -> str:
        """The engine's own name for the folder of a plugin, such as `resource-aws-v7.21.0`."""
        return f"{self.name.removeprefix('pulumi-')}-{self.version}"


_GIT_VERSION = "-X k8s.io/component-base/version.gitVersion"

TOOLS = (
    Tool(
        name="kubernetes",
        version=KUBERNETES,
        binaries=("kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"),
        probe=("--version",),
        module="kubernetes",
        packages=("./kubernetes",),
        ldflags=(
            f"{_GIT_VERSION}={KUBERNETES}"
            " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"
        ),
        download=download.kubernetes,
    ),
    Tool(
        name="pulumi",
        version=f"v{ENGINE}",
        binaries=("pulumi",),
        probe=("version",),
        module="pulumi",
        packages=("github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",),
        ldflags=f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{ENGINE}",
        download=download.pulumi,
    ),
    Tool(
        name="pulumi-resource-aws",
        version=f"v{AWS_PLUGIN}",
        binaries=("pulumi-resource-aws",),
        probe=("-version",),
        module="pulumi",
        packages=("./pulumi-resource-aws",),
        ldflags=f"-X main.version={AWS_PLUGIN}",
        download=download.plugin("aws"),
        about=f"terraform-provider-aws {TERRAFORM_AWS} under Pulumi's bridge",
    ),
    Tool(
        name="pulumi-resource-kubernetes",
        version=f"v{KUBERNETES_PLUGIN}",
        binaries=("pulumi-resource-kubernetes",),
        probe=(),
        module="kubernetes",
        packages=("./pulumi-resource-kubernetes",),
        ldflags=f"-X main.version={KUBERNETES_PLUGIN}",
        download=download.plugin("kubernetes"),
        about="the official plugin's own module",
    ),
    Tool(
        name="cloud-provider-aws",
        version="v1.34.3",
        binaries=("aws-cloud-controller-manager", "ecr-credential-provider"),
        probe=("--version",),
        module="kubernetes",
        packages=(
            "k8s.io/cloud-provider-aws/cmd/aws-cloud-controller-manager",
            "k8s.io/cloud-provider-aws/cmd/ecr-credential-provider",
        ),
        ldflags=f"{_GIT_VERSION}=v1.34.3",
        download=None,  # published as an image only
    ),
    Tool(
        name="authenticator",
        version="v0.6.13",
        binaries=("aws-iam-authenticator",),
        probe=("version", "--short"),
        module="kubernetes",
        packages=("sigs.k8s.io/aws-iam-authenticator/cmd/aws-iam-authenticator",),
        ldflags="-X sigs.k8s.io/aws-iam-authenticator/pkg.Version=v0.6.13",
        download=None,  # its releases' binaries are of other versions than its module
    ),
)
"""Largest first: a build begins with the first."""

DOCKER_PLUGIN = Tool(
    name="pulumi-resource-docker",
    version="v5.2.0",
    binaries=("pulumi-resource-docker",),
    probe=(),
    module="pulumi",
    packages=(),  # it is not published as a Go module
    ldflags="",
    download=download.plugin("docker"),
)
"""Fetched where the engine is an official one; elsewhere a stand-in takes its place."""
