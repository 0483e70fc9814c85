"""ClusterAccess: stops a deployment whose cluster is not fit for it, in the preview if the cluster is there by then."""

from dataclasses import asdict
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider

from infra import fitness
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.settings.needs import Needs


class ClusterAccess(pulumi.ComponentResource):
    """The same looks for every driver, at each preview and each `up` for which the kubeconfig is known.

    A resource, since Pulumi asks its provider to check it before anything is created. It makes nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        kubeconfig: pulumi.Input[str],
        needs: Needs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; what lives in the cluster comes after it."""
        super().__init__("ejemplo-django:infra:ClusterAccess", name, None, opts)
        Checked(f"{name}-access", kubeconfig=kubeconfig, needs=needs, opts=pulumi.ResourceOptions(parent=self))
        self.register_outputs({})


class _AccessProvider(ResourceProvider):
    """It is stored in the state by reference: this module and class must keep their names."""

    serialize_as_secret_always = False  # nothing in it but its name

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Examine the cluster, and drop the kubeconfig: the state needs no other copy, nor a new one any step."""
        kubeconfig = news.pop("kubeconfig")
        # What is not known yet comes as an object of the SDK's.
        if not isinstance(kubeconfig, str):
            return CheckResult(news, [])
        needs = Needs(**{**news["needs"], "balancer": BalancerKind(news["needs"]["balancer"])})
        failures = []
        for each in fitness.look(kubeconfig, needs):
            if each.bad and olds and _passes(each):
                pulumi.log.warn(each.sentence())
            elif each.bad:
                # By no property: Pulumi would show its value.
                failures.append(CheckFailure("", each.sentence()))
        return CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make nothing."""
        return CreateResult("access", props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Never differ: what changed is checked already."""
        return DiffResult(changes=False)


def _passes(found: Finding) -> bool:
    """Whether it is no reason to stop once something lives in the cluster, since the very `up` may mend it.

    Who may reach the API and which nodes there are, the settings of a driver say. Whatever is to be changed in the
    cluster fails by itself where it does not answer.
    """
    return found.check == "nodes" or (found.check == "cluster" and found.state is State.MISSING)


class Checked(Resource, module="ejemplo-django", name="ClusterAccess"):
    """That the cluster was examined."""

    def __init__(self, name: str, *, kubeconfig: pulumi.Input[str], needs: Needs, opts: pulumi.ResourceOptions) -> None:
        """Declare it."""
        # On the wire there are no enumerations, and what is None is not there at all.
        given = {**asdict(needs), "balancer": str(needs.balancer)}
        super().__init__(_AccessProvider(), name, {"kubeconfig": kubeconfig, "needs": given}, opts)
