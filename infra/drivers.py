"""The cluster: the interface that all drivers share, and the component of each."""

from typing import Any, Protocol

import pulumi

from infra.balancer_kind import BalancerKind
from infra.cluster.eks.cluster import EksCluster
from infra.cluster.existing.cluster import ExistingCluster
from infra.cluster.kops.cluster import KopsCluster
from infra.guards.identity import ClusterIdentity
from infra.settings.aws import Aws
from infra.settings.stack import ClusterSettings


class Cluster(Protocol):
    """What every driver's component provides to the rest of the program."""

    name: str
    """The identity by which Pulumi tells one cluster from another. Known at preview, and never changed."""
    kubeconfig: pulumi.Output[str]
    """The contents of the kubeconfig, secret. Known once the cluster accepts work."""
    balancer: BalancerKind
    """The kind of load balancer for a Service of type LoadBalancer."""


class Driver(Protocol):
    """The constructor of a driver's component. A driver ignores the parameters that it does not need."""

    def __call__(
        self,
        name: str,
        *,
        settings: Any,
        aws: Aws,
        bucket: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> Cluster:
        """Declare the cluster that the driver's own settings describe."""


DRIVERS: dict[str, Driver] = {"eks": EksCluster, "existing": ExistingCluster, "kops": KopsCluster}
"""The drivers, by the value of `cluster.driver`."""


def declare(
    settings: ClusterSettings,
    *,
    aws: Aws,
    bucket: pulumi.Input[str],
    zone_id: pulumi.Input[str],
    protect: bool,
    opts: pulumi.ResourceOptions | None = None,
) -> Cluster:
    """Declare the cluster with the driver of its settings.

    `bucket` is the name of the bucket for the cluster's description, `zone_id` the hosted zone for its records, if any.
    `protect` protects a cluster of ours from deletion.
    """
    identity = ClusterIdentity("cluster", identity=settings.identity)
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[identity]))
    driver = DRIVERS[settings.driver]
    return driver("cluster", settings=settings, aws=aws, bucket=bucket, zone_id=zone_id, protect=protect, opts=after)
