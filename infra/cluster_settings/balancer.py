"""How `cluster.balancer` is read, which every driver has."""

from infra.balancer_kind import BalancerKind
from infra.reading import Section

OF_AWS = (BalancerKind.CLASSIC, BalancerKind.NLB)
"""What AWS's cloud controller makes, and so any cluster that runs it."""


def read(section: Section, *, available: tuple[BalancerKind, ...] = OF_AWS) -> BalancerKind:
    """Read the kind of balancer, one of those that the driver's clusters can have; the classic one by default."""
    word = section.choice("balancer", available=tuple(available), default=BalancerKind.CLASSIC)
    return BalancerKind(word) if word in available else BalancerKind.CLASSIC
