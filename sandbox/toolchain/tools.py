"""The tools of the embedded cloud: name, version, download and build of each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.toolchain import download
from sandbox.toolchain.download import Progress

GO = Path(__file__).parent / "go"
"""The Go modules for the builds, a folder each.

There are two for the tools, since Pulumi's Kubernetes plugin and its Terraform bridge need different versions of
Pulumi's own module. Other modules have the same version in both, so that they are compiled once."""

ENGINE = "3.259.0"
"""Pulumi's engine; the SDK in requirements.txt has the same version."""

KUBERNETES = "v1.34.4"
"""The newest minor version that works with Debian 12's containerd 1.6 and with version 1 control groups."""

TERRAFORM_AWS = "6.34.0"
"""The terraform-provider-aws in the plugin AWS_PLUGIN."""

AWS_PLUGIN, KUBERNETES_PLUGIN = "7.21.0", "4.25.0"
"""Pulumi's plugins. The SDKs in requirements.txt have the same versions: the engine loads a plugin of the SDK's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A set of binaries that are downloaded or built together."""

    name: str
    version: str
    binaries: tuple[str, ...]
    probe: tuple[str, ...]
    """The arguments with which a binary prints its version; empty for one that cannot."""
    module: str
    """The folder in GO that builds it."""
    packages: tuple[str, ...]
    """The Go packages of its binaries, relative to the module; empty when it cannot be built."""
    ldflags: str
    """The build's linker flags: https://pkg.go.dev/cmd/link."""
    download: Callable[[str, Path, Progress], None] | None
    """Downloads the binaries of a version to a folder; None when no binaries of it are published."""
    about: str = ""
    """What a plugin's build is made of, as opposed to the official plugin."""

    @property
    def folder(self) -> str:
        """The engine's name for a plugin's folder, such as `resource-aws-v7.21.0`."""
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
        download=None,  # its released binaries have other versions than its module
    ),
)
"""Largest first: a build begins with the first."""

METRICS_SERVER = Tool(
    name="metrics-server",
    version="v0.8.0",
    binaries=("metrics-server",),
    probe=("--version",),
    module="kubernetes",
    packages=("sigs.k8s.io/metrics-server/cmd/metrics-server",),
    ldflags="-X k8s.io/client-go/pkg/version.gitVersion=v0.8.0",
    download=None,  # published as an image only
)
"""Needed only for autoscaling."""

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
"""Downloaded only with an official engine; otherwise a stand-in takes its place."""
