"""Driver `kops`: a cluster of EC2 machines, created, changed and deleted with the official kops."""

from collections.abc import Mapping

import pulumi

from infra.balancer_kind import BalancerKind
from infra.cluster.kops import manifests, plan
from infra.cluster.kops.resources import Applied, Ready, Spec
from infra.cluster.kops.settings import KopsSettings
from infra.settings.aws import Aws


class KopsCluster(pulumi.ComponentResource):
    """The cluster's spec, its cloud resources, and the wait until it accepts work, in this order."""

    name: str
    kubeconfig: pulumi.Output[str]
    balancer: BalancerKind

    def __init__(
        self,
        name: str,
        *,
        settings: KopsSettings,
        aws: Aws,
        bucket: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; a preview shows what kops plans."""
        super().__init__("ejemplo-django:infra:KopsCluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        kept = pulumi.ResourceOptions(parent=self, protect=protect)

        place = {
            "name": settings.name,
            "store": pulumi.Output.concat("s3://", bucket),
            "region": aws.region,
            "endpoint": aws.endpoint or "",
        }
        # Without records in the zone, the manifests do not need the zone's id, so a preview knows them and kops' plan.
        rendered: pulumi.Input[str] = (
            pulumi.Output.from_input(zone_id).apply(lambda zone: manifests.render(settings, dns_zone=zone))
            if settings.dns == "public"
            else manifests.render(settings, dns_zone=None)
        )
        spec = Spec(f"{name}-spec", manifests=rendered, place=place, opts=kept)
        applied = Applied(
            f"{name}-applied", spec=spec, manifests=rendered, apply=settings.apply, place=place, opts=child
        )
        ready = Ready(f"{name}-ready", applied=applied, wait_minutes=settings.wait_minutes, place=place, opts=child)
        if pulumi.runtime.is_dry_run():
            applied.plan.apply(self._show)

        self.name = settings.name
        self.balancer = settings.balancer
        self.kubeconfig = ready.kubeconfig
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})

    def _show(self, planned: Mapping[str, list[str]] | None) -> None:
        if planned:
            pulumi.log.info(f"kops plans for {self.name}:\n{plan.text(dict(planned))}", resource=self)
