"""`ops recover --new-cluster`: another cluster has the same name; remove the old one's objects from the state."""

from collections.abc import Mapping
from typing import Any

from ops.command import OpsError

_PROVIDER = "pulumi:providers:kubernetes"
_ACCESS = "pulumi-python:dynamic/ejemplo-django:ClusterAccess"


def forgotten(deployment: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the state without the objects in its cluster, and the names of those objects.

    The next `up` creates them in the cluster that exists now. Raise OpsError if the state has none.
    """
    resources = deployment.get("resources") or ()
    inside = [each for each in resources if f"::{_PROVIDER}::" in each.get("provider", "")]
    if not inside:
        raise OpsError("Nothing was done.", "The state has nothing in a cluster.", "Run `pulumi up`.")
    kept = [_without_uid(each) for each in resources if each not in inside]
    return {**deployment, "resources": kept}, [each["urn"].rpartition("::")[2] for each in inside]


def _without_uid(resource: Mapping[str, Any]) -> dict[str, Any]:
    if resource["type"] != _ACCESS:
        return dict(resource)
    parts = {part: {**(resource.get(part) or {}), "uid": None} for part in ("inputs", "outputs")}
    return {**resource, **parts}
