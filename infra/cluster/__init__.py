"""The cluster, whoever makes it: one contract, and a module with a component for each driver."""

from typing import Protocol

import pulumi

from infra.cluster.existing import ExistingCluster
from infra.config import Cluster as ClusterSettings


class Cluster(Protocol):
    """What every driver's component gives to the rest of the program."""

    name: str
    """Known at preview and never changed: the identity by which Pulumi tells one cluster from another."""
    kubeconfig: pulumi.Output[str]
    """Secret: the contents of the file. Known once the cluster takes work."""


class Driver(Protocol):
    """How a driver's component is made."""

    def __call__(
        self, name: str, *, settings: ClusterSettings, opts: pulumi.ResourceOptions | None = None
    ) -> Cluster:
        """Declare the cluster that the settings describe."""


DRIVERS: dict[str, Driver] = {"existing": ExistingCluster}
"""By the word in `cluster.driver`; `config.DRIVERS` lists the same words."""


def declare(name: str, *, settings: ClusterSettings, opts: pulumi.ResourceOptions | None = None) -> Cluster:
    """Declare the cluster with the driver that the settings name."""
    return DRIVERS[settings.driver](name, settings=settings, opts=opts)
