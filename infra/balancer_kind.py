"""The kinds of load balancer, as the cluster's drivers and the other components know them."""

from enum import StrEnum


class BalancerKind(StrEnum):
    """The kind of load balancer for a Service of type LoadBalancer, as in `cluster.balancer`."""

    CLASSIC = "classic"
    """AWS's Classic Load Balancer: it terminates TLS, speaks HTTP to the pods, and adds X-Forwarded-Proto."""
    NLB = "nlb"
    """AWS's Network Load Balancer: it terminates TLS and passes on the bytes, without a header of its own."""
    NONE = "none"
    """No AWS balancer: the cluster's own passes bytes, and the pods terminate TLS."""
