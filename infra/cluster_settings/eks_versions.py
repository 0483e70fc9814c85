"""The Kubernetes versions of EKS and, for each, the add-ons' versions that a cluster gets by default."""

NAMES = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent", "coredns", "metrics-server")
"""The add-ons of every cluster, by EKS' names."""

_LATEST = ("1.32", "1.33", "1.34", "1.35")
ADDONS = {each: dict.fromkeys(NAMES, "v1.0.0-eksbuild.1") for each in _LATEST}

ON_EVERY_NODE = ("vpc-cni", "kube-proxy", "eks-pod-identity-agent")
"""Those that run on each machine: without them it is never ready, so they are there first."""
