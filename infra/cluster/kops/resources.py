"""The three resources of a cluster made by kops, which can fail and be resumed apart.

Their providers are stored in the state by reference: this module and its classes must keep their names. Each does its
work again without harm, since one that was interrupted is not in the state and is created once more.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import yaml
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime import rpc

from infra.cluster.kops import command, manifests, plan
from infra.cluster.kops.command import Kops, NotFoundError

Inputs = dict[str, Any]

_DRIFTED = "drifted"
"""In place of the hash of what is there, when `refresh` found something else: the next `up` puts it right."""


class _KopsProvider(ResourceProvider):
    """What the three have in common: the cluster's place, which makes another cluster when it changes."""

    serialize_as_secret_always = False  # nothing in it but its name

    def diff(self, _id: str, olds: Inputs, news: Inputs) -> DiffResult:
        """Compare hashes, once the cluster is the same one.

        Another `apply` counts as well: it may bring about what the one before left to the user.
        """
        moved = [key for key in ("name", "store") if olds.get(key) != news.get(key)]
        # The cluster's name is on what kops made: the same one in another store would be made of the same things.
        return DiffResult(
            changes=bool(moved) or any(olds.get(key) != news.get(key) for key in ("hash", "apply")),
            replaces=moved,
            delete_before_replace="store" in moved,
        )


class SpecProvider(_KopsProvider):
    """Keeps the manifests in the state store."""

    def check(self, _olds: Inputs, news: Inputs) -> CheckResult:
        """Refuse a kops that is missing or too old, at preview; add the hash."""
        documents = news["manifests"]
        if not _known(documents):
            return CheckResult({**news, "hash": rpc.UNKNOWN}, [])
        [cluster] = [each for each in manifests.parse(documents) if each["kind"] == "Cluster"]
        problem = command.unfit(cluster["spec"]["kubernetesVersion"])
        failures = [CheckFailure("manifests", problem)] if problem else []
        return CheckResult({**news, "hash": manifests.digest(documents)}, failures)

    def create(self, props: Inputs) -> CreateResult:
        """Write them, over those of an attempt that was interrupted."""
        self._write(props)
        return CreateResult(props["name"], _outputs(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Write them over the old ones."""
        self._write(news)
        return UpdateResult(_outputs(news))

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Compare them with what is in the store."""
        try:
            stored = _kops(props).stored()
        except NotFoundError:
            return ReadResult("", {})
        drift = plan.spec_changes(stored, props["manifests"])
        return ReadResult(id_, _read(props, drift))

    def delete(self, _id: str, props: Inputs) -> None:
        """Delete the whole cluster: kops needs the spec for it, so it goes with what the spec made."""
        try:
            _kops(props).delete()
        except NotFoundError:
            return

    def _write(self, props: Inputs) -> None:
        kops = _kops(props)
        kops.replace(manifests.stored_in(props["manifests"], base=plan.base(kops)))


class AppliedProvider(_KopsProvider):
    """Makes the cloud as the spec says."""

    def check(self, olds: Inputs, news: Inputs) -> CheckResult:
        """Add what kops plans, when the spec is another than the one applied last, or `apply` is."""
        if not _known(news["hash"]) or not _known(news["manifests"]):
            return CheckResult({**news, "plan": {}}, [])
        if olds and all(olds.get(key) == news[key] for key in ("hash", "apply")):
            return CheckResult({**news, "plan": olds.get("plan", {})}, [])
        known = {**news, "store": news["store"] if _known(news["store"]) else ""}
        return CheckResult({**news, "plan": plan.make(_kops(known), news["manifests"])}, [])

    def create(self, props: Inputs) -> CreateResult:
        """Make it; of what an interrupted attempt made, kops makes nothing twice."""
        _kops(props).update()
        return CreateResult(props["name"], {**_outputs(props), "pending": []})

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Change it, as far as `apply` says."""
        kops = _kops(news)
        if news["apply"] != "manual":
            if news["apply"] == "reconcile":
                kops.reconcile()
            else:
                kops.update()
            # Last, so that the new groups are there to take the pods.
            for group in sorted(set(manifests.groups(kops.stored())) - set(manifests.groups(news["manifests"]))):
                kops.delete_group(group)
        return UpdateResult({**_outputs(news), "pending": kops.to_roll()})

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Ask kops whether it would change anything."""
        kops = _kops(props)
        try:
            found = plan.read(kops.dry_run())
            pending = kops.to_roll()
        except NotFoundError:
            return ReadResult("", {})
        drift = [each for kind in ("create", "modify", "delete") for each in found.get(kind, [])]
        if props["apply"] == "manual":
            drift = []  # to bring it up to date is the user's
        return ReadResult(id_, {**_read(props, drift), "pending": pending})


class ReadyProvider(_KopsProvider):
    """Waits until kops calls the cluster valid, and has its kubeconfig."""

    def create(self, props: Inputs) -> CreateResult:
        """Wait for it."""
        return CreateResult(props["name"], self._ready(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Wait for it again."""
        return UpdateResult(self._ready(news))

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Validate the cluster once, and look whether its kubeconfig is another."""
        kops = _kops(props)
        try:
            kubeconfig = self._kubeconfig(kops)
            kops.validate(minutes=0)
        except NotFoundError:
            return ReadResult("", {})
        except command.KopsError as error:
            return ReadResult(id_, _read(props, [str(error)]))
        return ReadResult(id_, {**_read(props, []), "kubeconfig": kubeconfig})

    def _ready(self, props: Inputs) -> Inputs:
        kops = _kops(props)
        nodes = kops.validate(minutes=int(props["waitMinutes"]))
        names = sorted(str(each.get("name")) for each in nodes)
        return {**_outputs(props), "kubeconfig": self._kubeconfig(kops), "nodes": names}

    def _kubeconfig(self, kops: Kops) -> str:
        kubeconfig = yaml.safe_load(kops.kubeconfig())
        # Whoever uses it calls kops for a credential, which has to find the same cloud; none of this is secret.
        variables = command.endpoint_environment(kops.endpoint, region=kops.region) | {"AWS_REGION": kops.region}
        for user in kubeconfig.get("users") or []:
            if given := user["user"].get("exec"):
                if kops.endpoint:
                    given |= {"command": "sh", "args": ["-c", command.WITH_LOGIN, given["command"], *given["args"]]}
                given["env"] = [{"name": name, "value": value} for name, value in sorted(variables.items())]
                given["interactiveMode"] = "Never"
        return yaml.safe_dump(kubeconfig, sort_keys=True)


class Spec(pulumi.dynamic.Resource, module="ejemplo-django", name="KopsSpec"):
    """The cluster's manifests in its state store; deleting it deletes the cluster."""

    name: pulumi.Output[str]
    hash: pulumi.Output[str]

    def __init__(self, name: str, *, manifests: pulumi.Input[str], place: Inputs, opts: pulumi.ResourceOptions) -> None:
        """Declare it."""
        super().__init__(SpecProvider(), name, {**place, "manifests": manifests, "hash": None, "drift": []}, opts)


class Applied(pulumi.dynamic.Resource, module="ejemplo-django", name="KopsApplied"):
    """The cluster's cloud resources, as the spec of that hash says."""

    hash: pulumi.Output[str]
    plan: pulumi.Output[Mapping[str, list[str]]]
    """What kops planned before it was last applied."""
    pending: pulumi.Output[list[str]]
    """The groups with machines that are still to be replaced."""

    def __init__(
        self,
        name: str,
        *,
        spec: Spec,
        manifests: pulumi.Input[str],
        apply: str,
        place: Inputs,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare it."""
        given: Inputs = {
            "manifests": manifests,
            "hash": spec.hash,
            "apply": apply,
            "drift": [],
            "plan": None,
            "pending": None,
        }
        # The spec shows its manifests already, and the difference between two plans says nothing.
        quiet = pulumi.ResourceOptions(hide_diffs=["manifests", "plan"])
        super().__init__(AppliedProvider(), name, {**place, **given}, pulumi.ResourceOptions.merge(opts, quiet))


class Ready(pulumi.dynamic.Resource, module="ejemplo-django", name="KopsReady"):
    """The cluster that takes work."""

    kubeconfig: pulumi.Output[str]
    """Secret, though without a credential in it."""
    nodes: pulumi.Output[list[str]]

    def __init__(
        self, name: str, *, applied: Applied, wait_minutes: int, place: Inputs, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare it."""
        given: Inputs = {
            "hash": applied.hash,
            "waitMinutes": wait_minutes,
            "drift": [],
            "kubeconfig": None,
            "nodes": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(ReadyProvider(), name, {**place, **given}, pulumi.ResourceOptions.merge(opts, secret))


def _known(value: object) -> bool:
    """Whether a text is there already: in a preview, an object of the SDK's stands for one that is not."""
    return isinstance(value, str)


def _kops(props: Inputs) -> Kops:
    return Kops(
        name=props["name"],
        store=props["store"],
        region=props["region"],
        endpoint=props.get("endpoint") or None,
    )


def _outputs(props: Inputs) -> Inputs:
    return {**props, "drift": []}


def _read(props: Inputs, drift: list[str]) -> Inputs:
    return {**props, "hash": _DRIFTED if drift else props["hash"], "drift": drift}
