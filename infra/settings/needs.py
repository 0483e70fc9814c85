"""What the program needs of a cluster."""

from dataclasses import dataclass

from infra.balancer_kind import BalancerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the program needs of a cluster."""

    namespace: str
    """It must exist."""
    platform: str
    """What the nodes must run, such as linux/amd64."""
    balancer: BalancerKind
    service: str
    """The name of the program's Service of type LoadBalancer."""
    tls_secret: str
    """A Secret of type kubernetes.io/tls that must exist; empty for none."""
