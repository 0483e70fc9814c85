"""The cluster, whoever makes it: one contract, and a component for each driver."""

from typing import Any, Protocol

import pulumi

from infra.balancer_kind import BalancerKind
from infra.cluster.eks.cluster import EksCluster
from infra.cluster.existing.cluster import ExistingCluster
from infra.cluster.kops.cluster import KopsCluster
from infra.settings.aws import Aws
from infra.settings.stack import ClusterSettings


class Cluster(Protocol):
    """What every driver's component gives to the rest of the program."""

    name: str
    """Known at preview and never changed: the identity by which Pulumi tells one cluster from another."""
    kubeconfig: pulumi.Output[str]
    """Secret: the contents of the file. Known once the cluster takes work."""
    balancer: BalancerKind
    """What it makes of a Service of type LoadBalancer."""


class Driver(Protocol):
    """How a driver's component is made; one that needs no more than its own settings ignores the rest."""

    def __call__(
        self,
        name: str,
        *,
        settings: Any,
        aws: Aws,
        bucket: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> Cluster:
        """Declare the cluster that the driver's own settings describe."""


DRIVERS: dict[str, Driver] = {"eks": EksCluster, "existing": ExistingCluster, "kops": KopsCluster}
"""By the word in `cluster.driver`."""


def declare(
    settings: ClusterSettings,
    *,
    aws: Aws,
    bucket: pulumi.Input[str],
    zone_id: pulumi.Input[str],
    opts: pulumi.ResourceOptions | None = None,
) -> Cluster:
    """Declare the cluster with the driver that its settings are for.

    `bucket` is the name of the bucket for its description, `zone_id` the hosted zone for its records, if any.
    """
    driver = DRIVERS[settings.driver]
    return driver("cluster", settings=settings, aws=aws, bucket=bucket, zone_id=zone_id, opts=opts)
