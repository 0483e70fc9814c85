"""Driver `existing`: a cluster that somebody else looks after, used and never changed or deleted."""

import pulumi

from infra.balancer_kind import BalancerKind
from infra.cluster_settings.existing import ExistingSettings
from infra.config import Aws


class ExistingCluster(pulumi.ComponentResource):
    """A cluster known by its kubeconfig."""

    name: str
    kubeconfig: pulumi.Output[str]
    balancer: BalancerKind

    def __init__(
        self,
        name: str,
        *,
        settings: ExistingSettings,
        aws: Aws,
        bucket: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Hand on what the settings say; nothing of AWS is needed for it."""
        super().__init__("ejemplo-django:infra:ExistingCluster", name, None, opts)
        self.name = settings.name
        self.kubeconfig = settings.kubeconfig
        self.balancer = settings.balancer
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})
