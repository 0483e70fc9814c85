"""The three resources of a kops cluster, which can fail and be resumed separately.

The state refers to their providers by name: do not rename this module or its classes. Each can safely repeat its work:
an interrupted one is not in the state, and is created again.
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
"""Replaces the hash if `refresh` found something else; the next `up` then corrects it."""


class _KopsProvider(ResourceProvider):
    """The common part: the cluster's name and store, which mean another cluster when they change."""

    serialize_as_secret_always = False  # nothing in it but its name

    def diff(self, _id: str, olds: Inputs, news: Inputs) -> DiffResult:
        """Compare the hashes, unless it is another cluster.

        Another `apply` is a change too: it may do what the one before left to the user.
        """
        moved = [key for key in ("name", "store") if olds.get(key) != news.get(key)]
        # What kops made has the cluster's name: in another store, a cluster of the same name would be made of the same
        # things.
        return DiffResult(
            changes=bool(moved) or any(olds.get(key) != news.get(key) for key in ("hash", "apply")),
            replaces=moved,
            delete_before_replace="store" in moved,
        )


class SpecProvider(_KopsProvider):
    """Writes the manifests to the state store."""

    def check(self, _olds: Inputs, news: Inputs) -> CheckResult:
        """Refuse a missing or outdated kops, already at preview, and add the hash."""
        documents = news["manifests"]
        if not _known(documents):
            return CheckResult({**news, "hash": rpc.UNKNOWN}, [])
        [cluster] = [each for each in manifests.parse(documents) if each["kind"] == "Cluster"]
        problem = command.unfit(cluster["spec"]["kubernetesVersion"])
        failures = [CheckFailure("manifests", problem)] if problem else []
        return CheckResult({**news, "hash": manifests.digest(documents)}, failures)

    def create(self, props: Inputs) -> CreateResult:
        """Write them, over those of an interrupted attempt."""
        self._write(props)
        return CreateResult(props["name"], _outputs(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Write them over the old ones."""
        self._write(news)
        return UpdateResult(_outputs(news))

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Compare them with those in the store."""
        try:
            stored = _kops(props).stored()
        except NotFoundError:
            return ReadResult("", {})
        drift = plan.spec_changes(stored, props["manifests"])
        return ReadResult(id_, _read(props, drift))

    def delete(self, _id: str, props: Inputs) -> None:
        """Delete the whole cluster: kops needs the spec for that, so both go together."""
        try:
            _kops(props).delete()
        except NotFoundError:
            return

    def _write(self, props: Inputs) -> None:
        kops = _kops(props)
        kops.replace(manifests.stored_in(props["manifests"], base=plan.base(kops)))


class AppliedProvider(_KopsProvider):
    """Makes the cloud match the spec."""

    def check(self, olds: Inputs, news: Inputs) -> CheckResult:
        """Add kops' plan if the spec or `apply` differs from what was applied last."""
        if not _known(news["hash"]) or not _known(news["manifests"]):
            return CheckResult({**news, "plan": {}}, [])
        if olds and all(olds.get(key) == news[key] for key in ("hash", "apply")):
            return CheckResult({**news, "plan": olds.get("plan", {})}, [])
        known = {**news, "store": news["store"] if _known(news["store"]) else ""}
        return CheckResult({**news, "plan": plan.make(_kops(known), news["manifests"])}, [])

    def create(self, props: Inputs) -> CreateResult:
        """Apply it; what an interrupted attempt made, kops does not make twice."""
        _kops(props).update()
        return CreateResult(props["name"], {**_outputs(props), "pending": []})

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Apply the change, as far as `apply` allows."""
        kops = _kops(news)
        if news["apply"] != "manual":
            if news["apply"] == "reconcile":
                kops.reconcile()
            else:
                kops.update()
            # Last, so that the new groups can take over the pods.
            for group in sorted(set(manifests.groups(kops.stored())) - set(manifests.groups(news["manifests"]))):
                kops.delete_group(group)
        return UpdateResult({**_outputs(news), "pending": kops.to_roll()})

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Ask kops for changes that it would make."""
        kops = _kops(props)
        try:
            found = plan.read(kops.dry_run())
            pending = kops.to_roll()
        except NotFoundError:
            return ReadResult("", {})
        drift = [each for kind in ("create", "modify", "delete") for each in found.get(kind, [])]
        if props["apply"] == "manual":
            drift = []  # the user applies it
        return ReadResult(id_, {**_read(props, drift), "pending": pending})


class ReadyProvider(_KopsProvider):
    """Waits until kops calls the cluster valid, and returns its kubeconfig."""

    def create(self, props: Inputs) -> CreateResult:
        """Wait until the cluster is valid."""
        return CreateResult(props["name"], self._ready(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Wait again until the cluster is valid."""
        return UpdateResult(self._ready(news))

    def read(self, id_: str, props: Inputs) -> ReadResult:
        """Validate the cluster once, and read its kubeconfig."""
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
        # Users of the kubeconfig call kops for a credential, and kops must find the same cloud. None of this is secret.
        variables = command.endpoint_environment(kops.endpoint, region=kops.region) | {"AWS_REGION": kops.region}
        for user in kubeconfig.get("users") or []:
            if login := user["user"].get("exec"):
                if kops.endpoint:
                    login |= {"command": "sh", "args": ["-c", command.WITH_LOGIN, login["command"], *login["args"]]}
                login["env"] = [{"name": name, "value": value} for name, value in sorted(variables.items())]
                login["interactiveMode"] = "Never"
        return yaml.safe_dump(kubeconfig, sort_keys=True)


class Spec(pulumi.dynamic.Resource, module="ejemplo-django", name="KopsSpec"):
    """The cluster's manifests in its state store; deleting it deletes the cluster."""

    name: pulumi.Output[str]
    hash: pulumi.Output[str]

    def __init__(self, name: str, *, manifests: pulumi.Input[str], place: Inputs, opts: pulumi.ResourceOptions) -> None:
        """Declare it."""
        super().__init__(SpecProvider(), name, {**place, "manifests": manifests, "hash": None, "drift": []}, opts)


class Applied(pulumi.dynamic.Resource, module="ejemplo-django", name="KopsApplied"):
    """The cluster's cloud resources, as in the spec with that hash."""

    hash: pulumi.Output[str]
    plan: pulumi.Output[Mapping[str, list[str]]]
    """kops' plan before the last change."""
    pending: pulumi.Output[list[str]]
    """The groups with machines that must still be replaced."""

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
        props: Inputs = {
            "manifests": manifests,
            "hash": spec.hash,
            "apply": apply,
            "drift": [],
            "plan": None,
            "pending": None,
        }
        # The spec already shows its manifests, and a difference between two plans tells nothing.
        quiet = pulumi.ResourceOptions(hide_diffs=["manifests", "plan"])
        super().__init__(AppliedProvider(), name, {**place, **props}, pulumi.ResourceOptions.merge(opts, quiet))


class Ready(pulumi.dynamic.Resource, module="ejemplo-django", name="KopsReady"):
    """The cluster, once it accepts work."""

    kubeconfig: pulumi.Output[str]
    """The kubeconfig. Secret, although it contains no credential."""
    nodes: pulumi.Output[list[str]]

    def __init__(
        self, name: str, *, applied: Applied, wait_minutes: int, place: Inputs, opts: pulumi.ResourceOptions
    ) -> None:
        """Declare it."""
        props: Inputs = {
            "hash": applied.hash,
            "waitMinutes": wait_minutes,
            "drift": [],
            "kubeconfig": None,
            "nodes": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["kubeconfig"])
        super().__init__(ReadyProvider(), name, {**place, **props}, pulumi.ResourceOptions.merge(opts, secret))


def _known(value: object) -> bool:
    """Return whether a value is known: in a preview, an object of the SDK stands for an unknown one."""
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
