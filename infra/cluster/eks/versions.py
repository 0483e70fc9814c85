"""The Kubernetes versions of EKS and, for each, the add-ons' versions that a cluster gets when its stack names none.

Pinned, so that two runs make the same cluster: a newer row here, or the key `cluster.addons`, is what changes one. EKS
goes on offering what it once offered, so an old pin still installs; what there is now for a version is told by
`aws eks describe-addon-versions --kubernetes-version 1.35 --addon-name coredns`.
"""

from collections.abc import Mapping
from typing import Literal, get_args

ON_EVERY_NODE = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
"""The add-ons that run on each machine: without them it is never ready, so they are there before the first."""

Name = Literal["vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "metrics-server"]
"""The add-ons of every cluster, by EKS' names."""
NAMES: tuple[Name, ...] = get_args(Name)

# These have one version for all versions of Kubernetes that EKS supports.
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
"""By Kubernetes version, those that EKS goes on supporting: 1.31 leaves its extended support on 2026-11-26
(https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html). kube-proxy and CoreDNS as the pages
managing-kube-proxy and managing-coredns of the same guide listed them in 2026; the others as in use with 1.36 then."""
