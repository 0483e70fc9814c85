"""The provider itself: its inputs, when a change of them means another cluster, and its types."""

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from threading import Lock

from sandbox.plugins.kubernetes.cluster import Cluster, active_cluster, kubeconfig
from sandbox.plugins.kubernetes.kinds import KINDS
from sandbox.plugins.kubernetes.objecttype import type_of
from sandbox.plugins.resource import Function, Plugin, PluginError, ResourceType
from sandbox.plugins.values import Properties, Unknown


def replaces(old: Properties, new: Properties) -> frozenset[str]:
    """Give the provider inputs whose change means another cluster, and so replaces every object.

    With a clusterIdentifier before and after, only that decides: a renewed kubeconfig changes nothing.
    Without, a kubeconfig that is not known yet, or whose current cluster is another one, does. Giving or
    taking away the identifier alone does not.
    """
    if old.get("clusterIdentifier") and new.get("clusterIdentifier"):
        same = old["clusterIdentifier"] == new["clusterIdentifier"]
        return frozenset() if same else frozenset({"clusterIdentifier"})
    before, after = old.get("kubeconfig"), new.get("kubeconfig")
    if isinstance(after, Unknown):
        return frozenset({"kubeconfig"})
    if not before or not after:
        return frozenset()
    clusters = [active_cluster(kubeconfig(each)) for each in (before, after)]
    return frozenset({"kubeconfig"}) if None not in clusters and clusters[0] != clusters[1] else frozenset()


def build(config: Properties) -> tuple[Sequence[ResourceType], Sequence[Function]]:
    """Make the types for one cluster. Raises PluginError for a setting that is not implemented."""
    if config.get("enableServerSideApply") is False:
        raise PluginError(
            "provider input enableServerSideApply is false: this stand-in has only server-side apply. Leave "
            "the input out, or use the official plugin"
        )

    lock = Lock()

    @cache
    def connected() -> Cluster:
        # Only now: an update without changes needs no cluster, and the client takes half a second to import.
        return Cluster(kubeconfig(config.get("kubeconfig") or "~/.kube/config"))

    def connect() -> Cluster:
        with lock:  # the engine asks for many objects at once, and the client shares its temporary files
            return connected()

    types = [
        type_of(
            kind,
            connect=connect,
            namespace=config.get("namespace") or "",
            mutable_secrets=bool(config.get("enableSecretMutable")),
        )
        for kind in KINDS
    ]
    return types, []


PLUGIN = Plugin(
    name="kubernetes",
    version=version("pulumi-kubernetes"),
    config={
        "kubeconfig": str,
        "clusterIdentifier": str,
        "namespace": str,
        "enableServerSideApply": bool,
        "enableSecretMutable": bool,
        "enableConfigMapMutable": bool,
    },
    replaces=replaces,
    build=build,
)
