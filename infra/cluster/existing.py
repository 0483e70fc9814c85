"""Driver `existing`: a cluster that somebody else looks after, used and never changed or deleted."""

import pulumi

from infra.config import Cluster as ClusterSettings


class ExistingCluster(pulumi.ComponentResource):
    """A cluster known by its kubeconfig."""

    name: str
    kubeconfig: pulumi.Output[str]

    def __init__(
        self, name: str, *, settings: ClusterSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Hand on what the settings say."""
        super().__init__("ejemplo-django:infra:ExistingCluster", name, None, opts)
        self.name = settings.name
        self.kubeconfig = settings.kubeconfig
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})
