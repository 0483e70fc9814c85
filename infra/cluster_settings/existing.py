"""The settings of the driver `existing`: what they are, and how they are read and checked."""

from dataclasses import dataclass, field
from typing import ClassVar

import pulumi

from infra import checks
from infra.balancer_kind import BalancerKind
from infra.cluster_settings import balancer
from infra.reading import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingSettings:
    """Driver `existing`: a cluster that somebody else looks after."""

    driver: ClassVar[str] = "existing"
    name: str
    kubeconfig: pulumi.Output[str] = field(repr=False, compare=False)
    """Secret: the contents of the file."""
    balancer: BalancerKind = BalancerKind.CLASSIC
    """What the cluster makes of a Service of type LoadBalancer."""


def read(section: Section) -> ExistingSettings:
    """Read the settings of the driver `existing`."""
    return ExistingSettings(
        name=section.text("name", checks.cluster_name),
        kubeconfig=pulumi.Output.secret(section.secret_or_file("kubeconfig", "kubeconfigFile", checks.kubeconfig)),
        balancer=balancer.read(section, available=tuple(BalancerKind)),
    )
