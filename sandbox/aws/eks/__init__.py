"""EKS as on AWS, on top of moto's: its only control plane is the sandbox's own API server.

Each module adds what moto 5.2.5 lacks of one noun: the cluster and its updates, access entries, node groups, add-ons.
An operation or parameter that they do not implement is refused by its name.
"""

from moto.eks.responses import EKSResponse
from moto.eks.urls import url_paths

from sandbox.aws.eks import access, addons, cluster, nodegroups
from sandbox.layout import Layout


def as_aws_does_it(layout: Layout) -> None:
    """Patch moto's EKS, before its server starts."""
    # moto has a list of known paths; the API's model finds the operation for any path.
    url_paths.clear()
    url_paths["{0}/(?P<path>.+)$"] = EKSResponse().dispatch
    cluster.patch_moto(layout)
    access.patch_moto(layout)
    nodegroups.patch_moto(layout)
    addons.patch_moto()
