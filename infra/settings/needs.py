"""What the program needs from a cluster."""

from dataclasses import dataclass

from infra.balancer_kind import BalancerKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What the program needs from a cluster."""

    namespace: str
    """The namespace of all the program's objects."""
    makes_namespace: bool
    """Whether the program creates the namespace; otherwise it must exist."""
    platform: str
    """The platform that nodes must have, such as linux/amd64."""
    balancer: BalancerKind
    service: str
    """The name of the program's Service of type LoadBalancer."""
    tls_secret: str
    """The name of a Secret of type kubernetes.io/tls that must exist; empty for none."""
    objects: tuple[tuple[str, str], ...] = ()
    """The API group and resource of each kind that the stack declares besides those that every stack has."""
    metrics: bool = False
    """Whether the cluster must serve the pods' CPU metrics, which a HorizontalPodAutoscaler reads."""
