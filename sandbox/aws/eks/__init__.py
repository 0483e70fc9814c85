"""EKS as AWS has it, on top of moto's: the control plane is the sandbox's own API server, its only one.

Each module changes or adds what moto 5.2.5 lacks of one noun: the cluster and its updates, who may enter, node groups,
add-ons. What they do not implement is refused by the name of its operation or parameter.
"""

from moto.eks.responses import EKSResponse
from moto.eks.urls import url_paths

from sandbox.aws.eks import access, addons, cluster, nodegroups
from sandbox.layout import Layout


def as_aws_does_it(layout: Layout) -> None:
    """Change moto's EKS, before its server starts."""
    # moto lists the paths that it knows; the API's model finds the operation for any.
    url_paths.clear()
    url_paths["{0}/(?P<path>.+)$"] = EKSResponse().dispatch
    access.forget(layout)
    cluster.patch_moto(layout)
    access.patch_moto(layout)
    nodegroups.patch_moto(layout)
    addons.patch_moto()
