"""ClusterAccess: stops a deployment if the cluster is not fit for it; in the preview, if the cluster exists by then."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider

from infra import fitness
from infra.balancer_kind import BalancerKind
from infra.finding import Finding, State
from infra.ownership import stack_name
from infra.settings.needs import Needs


class ClusterAccess(pulumi.ComponentResource):
    """The same checks for every driver, at each preview and each `up` for which the kubeconfig is known.

    This is a resource because Pulumi has its provider check it before anything is created. It creates nothing.
    """

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        kubeconfig: pulumi.Input[str],
        needs: Needs,
        domain: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it for the cluster of that name; everything in the cluster depends on it.

        `domain` is a part of the stack's mark, by which it knows a namespace that it created.
        """
        super().__init__("ejemplo-django:infra:ClusterAccess", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        Checked(f"{name}-access", cluster=cluster, kubeconfig=kubeconfig, needs=needs, domain=domain, opts=child)
        self.register_outputs({})


class _AccessProvider(ResourceProvider):
    """The state refers to this module and class by name: do not rename them."""

    serialize_as_secret_always = False  # nothing in it but its name

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Check the cluster, and drop the kubeconfig.

        The state needs no other copy of it, and no change with each new one.
        """
        kubeconfig = news.pop("kubeconfig")
        news["uid"] = olds.get("uid")
        # A value that is not known yet is an object of the SDK.
        if not isinstance(kubeconfig, str):
            return CheckResult(news, [])
        given = news["needs"]
        objects = tuple((group, resource) for group, resource in given["objects"])
        needs = Needs(**{**given, "balancer": BalancerKind(given["balancer"]), "objects": objects})
        # After a rename of the stack, or another domain, the former one is still in the cluster.
        former = {**news, **olds}
        owners = {(each["owner"], each["domain"]) for each in (news, former)}
        failures = []
        for each in fitness.look(kubeconfig, needs, owners=owners):
            if each.check == fitness.IDENTITY and each.state is State.OK:
                news["uid"] = each.found
                failures += [CheckFailure("", wrong) for wrong in _another(olds, news)]
            if each.bad and olds and _passes(each):
                pulumi.log.warn(each.sentence())
            elif each.bad:
                # Name no property: Pulumi would show its value.
                failures.append(CheckFailure("", each.sentence()))
        return CheckResult(news, failures)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create nothing."""
        return CreateResult("access", props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Report no change: `check` has examined it."""
        return DiffResult(changes=False)


def _another(olds: dict[str, Any], news: dict[str, Any]) -> Iterator[str]:
    """Yield a message if the cluster, or only its name, is not the one in the state."""
    before, name, now = olds.get("uid"), olds.get("cluster"), news["uid"]
    if not (before and name):
        return
    if before != now and name == news["cluster"]:
        yield (
            f"cluster: another one answers under the name {name} than the one that this stack's app is in: its "
            f"kube-system has the UID {now}, not {before}. If the kubeconfig is wrong, set the right one. If the "
            "cluster was created anew, have the app created in it: "
            f".venv/bin/python -m ops recover --stack {news['owner'].rpartition('/')[2]} --new-cluster"
        )
    if before == now and name != news["cluster"]:
        yield (
            f"cluster.name: found {news['cluster']}, expected {name}, the name of this cluster so far: under "
            "another name, everything in it would be created a second time, and then deleted."
        )


def _passes(found: Finding) -> bool:
    """Return whether a finding is no reason to stop once the app is in the cluster, because this `up` may fix it.

    A driver's settings decide who may reach the API, which nodes there are, and whether there are metrics. Changes in a
    cluster that does not answer fail by themselves.
    """
    return found.check in ("nodes", "app.scale") or (found.check == "cluster" and found.state is State.MISSING)


class Checked(Resource, module="ejemplo-django", name="ClusterAccess"):
    """The check of the cluster."""

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        kubeconfig: pulumi.Input[str],
        needs: Needs,
        domain: str,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare it."""
        # The protocol has no enumerations, and leaves out what is None.
        given = {**asdict(needs), "balancer": str(needs.balancer)}
        mark = {"owner": stack_name(), "domain": domain}
        props = {"cluster": cluster, "kubeconfig": kubeconfig, "needs": given, **mark}
        super().__init__(_AccessProvider(), name, props, opts)
