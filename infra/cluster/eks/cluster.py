"""Driver `eks`: a cluster whose control plane AWS manages, in a network of its own."""

import pulumi

from infra.balancer_kind import BalancerKind
from infra.cluster.eks import kubeconfig
from infra.cluster.eks.addons import Addons
from infra.cluster.eks.control_plane import ControlPlane
from infra.cluster.eks.network import Network
from infra.cluster.eks.nodes import Nodes
from infra.cluster.eks.settings import EksSettings
from infra.cluster.eks.versions import ON_EVERY_NODE
from infra.settings.aws import Aws


class EksCluster(pulumi.ComponentResource):
    """The network, the control plane, the nodes and the add-ons, in this order."""

    name: str
    kubeconfig: pulumi.Output[str]
    balancer: BalancerKind

    def __init__(
        self,
        name: str,
        *,
        settings: EksSettings,
        aws: Aws,
        bucket: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; the bucket and the hosted zone are not used."""
        super().__init__("ejemplo-django:infra:EksCluster", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        network = Network(
            name,
            cluster=settings.name,
            cidr=settings.network_cidr,
            zones=settings.zones,
            nat=settings.nat,
            opts=child,
        )
        control_plane = ControlPlane(
            name,
            settings=settings,
            subnet_ids=list(network.private_subnet_ids.values()),
            region=aws.region,
            protect=protect,
            opts=child,
        )
        early: dict[str, str] = {each: version for each, version in settings.addons.items() if each in ON_EVERY_NODE}
        late: dict[str, str] = {each: version for each, version in settings.addons.items() if each not in ON_EVERY_NODE}
        node_addons = Addons(
            f"{name}-node",
            cluster_name=control_plane.cluster_name,
            versions=early,
            after=[],
            region=aws.region,
            opts=child,
        )
        nodes = Nodes(
            name,
            groups=settings.nodes,
            cluster_name=control_plane.cluster_name,
            version=control_plane.version,
            subnet_ids=network.private_subnet_ids,
            after=[*network.ways_out, *node_addons.addons],
            region=aws.region,
            tags=aws.tags,
            opts=child,
        )
        other_addons = Addons(
            name,
            cluster_name=control_plane.cluster_name,
            versions=late,
            after=nodes.groups,
            region=aws.region,
            opts=child,
        )

        self.name, self.balancer = settings.name, settings.balancer
        text = pulumi.Output.all(
            cluster=control_plane.cluster_name,
            endpoint=control_plane.endpoint,
            authority=control_plane.certificate_authority,
        ).apply(lambda known: kubeconfig.render(**known, region=aws.region))
        # The cluster accepts work only with nodes and add-ons. A URN is known when its resource exists, and in a
        # preview at once. With these, all objects in the cluster are created after the nodes and deleted before them.
        urns = [each.urn for each in (*nodes.groups, *node_addons.addons, *other_addons.addons, *control_plane.entries)]
        self.kubeconfig = pulumi.Output.secret(pulumi.Output.all(text, *urns).apply(lambda known: str(known[0])))
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})
