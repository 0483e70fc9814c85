"""The kinds of balancer that may stand before the site: what the drivers of the cluster and the nouns agree on."""

from enum import StrEnum


class BalancerKind(StrEnum):
    """What the cluster makes of a Service of type LoadBalancer, as `cluster.balancer` names it."""

    CLASSIC = "classic"
    """AWS's classic ELB: it ends TLS, speaks http to the pods, and says in X-Forwarded-Proto what the visitor spoke."""
    NLB = "nlb"
    """AWS's Network Load Balancer: it ends TLS and passes on what was in it, so no header of its making is in there."""
    NONE = "none"
    """No balancer of AWS's: whatever the cluster has passes bytes, and the pods end TLS themselves."""
