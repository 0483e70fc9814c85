"""ClusterIdentity: refuses an edit that would replace the cluster, before anything is changed."""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider


class ClusterIdentity(pulumi.ComponentResource):
    """The settings that a cluster keeps for life: a change of one would create another cluster, without the app.

    It is a resource because Pulumi has its provider compare it with the state before anything is changed.
    """

    def __init__(self, name: str, *, identity: Mapping[str, str], opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the values of `identity`, by settings key. The cluster has to depend on this component."""
        super().__init__("ejemplo-django:infra:ClusterIdentity", name, None, opts)
        Kept(f"{name}-identity", identity=identity, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


class _KeptProvider(ResourceProvider):
    """The state stores a reference to this class: the module and the class must keep their names."""

    serialize_as_secret_always = False  # it holds no secret

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Compare every value with the one in the state, if there is one."""
        before, now = olds.get("identity"), news["identity"]
        if before is None:
            return CheckResult(news, [])
        failures = [
            # With a property, Pulumi would show the value.
            CheckFailure("", _refusal(key, before[key], now.get(key), news["stack"]))
            for key in _compared(before, now)
            if now.get(key) != before[key]
        ]
        return CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create nothing."""
        return CreateResult("identity", props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Report no difference: `check` has refused every change."""
        return DiffResult(changes=False)


def _compared(before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values to compare; if the driver differs, only the driver, since the keys differ too."""
    driver = "cluster.driver"
    return before if before.get(driver) == now[driver] else {driver: before[driver]}


def _refusal(key: str, before: str, now: str | None, stack: str) -> str:
    return (
        f"{key}: found {now or 'nothing'}, expected {before}, with which the cluster of this stack was made. Another "
        f"value would make another cluster, without the app. To have one: bring up a second stack beside this one and "
        f"let the hosts follow, or destroy this one first: make down STACK={stack} (docs/clusters.md)."
    )


class Kept(Resource, module="ejemplo-django", name="ClusterIdentity"):
    """The values that the cluster was created with."""

    def __init__(self, name: str, *, identity: Mapping[str, str], opts: pulumi.ResourceOptions) -> None:
        """Declare the values."""
        super().__init__(_KeptProvider(), name, {"identity": dict(identity), "stack": pulumi.get_stack()}, opts)
