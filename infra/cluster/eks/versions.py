"""The Kubernetes versions of EKS and, for each, the default versions of the add-ons.

They are pinned, so that two runs make the same cluster: only a newer row here, or the key `cluster.addons`, changes
one. EKS keeps offering old versions, so an old pin still installs. The command for the current versions is
`aws eks describe-addon-versions --kubernetes-version 1.35 --addon-name coredns`.
"""

from collections.abc import Mapping
from typing import Literal, get_args

ON_EVERY_NODE = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
"""The add-ons that run on each node. Without them a node is never ready, so they are created before the first."""

Name = Literal["vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "metrics-server"]
"""The add-ons of every cluster, by EKS' names."""
NAMES: tuple[Name, ...] = get_args(Name)

# The same version for all versions of Kubernetes that EKS supports.
_SAME = {
    "vpc-cni": "v1.22.3-eksbuild.1",
    "eks-pod-identity-agent": "v1.3.10-eksbuild.3",
    "metrics-server": "v0.8.1-eksbuild.10",
}

ADDONS: Mapping[str, Mapping[str, str]] = {
    "1.32": {**_SAME, "kube-proxy": "v1.32.13-eksbuild.16", "coredns": "v1.11.4-eksbuild.40"},
    "1.33": {**_SAME, "kube-proxy": "v1.33.10-eksbuild.13", "coredns": "v1.12.4-eksbuild.18"},
    "1.34": {**_SAME, "kube-proxy": "v1.34.6-eksbuild.13", "coredns": "v1.13.2-eksbuild.11"},
    "1.35": {**_SAME, "kube-proxy": "v1.35.3-eksbuild.13", "coredns": "v1.14.3-eksbuild.3"},
    "1.36": {**_SAME, "kube-proxy": "v1.36.0-eksbuild.14", "coredns": "v1.14.3-eksbuild.3"},
}
"""Add-on versions by Kubernetes version, for those that EKS supports for some time: extended support for 1.31 ends on
2026-11-26 (https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html). kube-proxy and CoreDNS are as
listed in 2026 by the pages managing-kube-proxy and managing-coredns of the same guide; the others as used with 1.36
then."""
