"""One handler for every kind: check, preview, apply, await, read, delete."""

import secrets
from collections.abc import Callable
from typing import ClassVar

from sandbox.plugins.kubernetes import objects
from sandbox.plugins.kubernetes.cluster import Cluster, Object, Ref, RefusedError, UnreachableError
from sandbox.plugins.kubernetes.fields import unknown_field
from sandbox.plugins.kubernetes.kinds import SECRET, Kind
from sandbox.plugins.kubernetes.ready import (
    NotReadyError,
    await_gone,
    await_ready,
    readiness_now,
    timeout_of,
    unready,
)
from sandbox.plugins.resource import Call, InvalidInputError, PartialFailureError, PluginError, ResourceType
from sandbox.plugins.values import UNKNOWN, Properties, Unknown, is_known

MANAGER = "__fieldManager"
"""Output that keeps the field manager's name: stable for one resource, as the official provider keeps it."""


class ObjectType(ResourceType):
    """A kind as a resource type; `kind` and what follows from it are set by `types_of`."""

    kind: ClassVar[Kind]

    def __init__(self, *, connect: Callable[[], Cluster], namespace: str, mutable_secrets: bool) -> None:
        """Work on the cluster that `connect` gives, asked for only when it is needed.

        `namespace` is the provider's default one, `mutable_secrets` its enableSecretMutable.
        """
        self._connect, self._namespace, self._mutable_secrets = connect, namespace, mutable_secrets

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Name the object, put it into its namespace, refuse fields that Kubernetes does not have."""
        inputs = {"apiVersion": self.kind.api_version, "kind": self.kind.name, "metadata": {}} | inputs
        for name, only in (("apiVersion", self.kind.api_version), ("kind", self.kind.name)):
            if inputs[name] != only:
                raise InvalidInputError(name, f"must be {only!r}, or left out")
        for mark in objects.annotations(inputs).keys() - objects.DIRECTIVES:
            if mark.startswith("pulumi.com/"):
                known = ", ".join(sorted(objects.DIRECTIVES))
                reason = f"this stand-in obeys only {known}; use the official plugin"
                raise InvalidInputError(f'metadata.annotations["{mark}"]', reason)
        inputs = objects.named(inputs, old=old, logical_name=call.name, seed=call.seed)
        metadata = inputs["metadata"]
        if self.kind.namespaced and self._namespace and not isinstance(metadata, Unknown):
            inputs["metadata"] = {"namespace": self._namespace} | metadata
        if inputs != old and (fault := unknown_field(self.kind.model, inputs)):
            raise fault
        return inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Spell quantities alike and the default namespace out."""
        found: Properties = objects.canonical(inputs)
        if self.kind.namespaced and isinstance(found.get("metadata"), dict):
            found["metadata"] = {"namespace": "default"} | found["metadata"]
        return found

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        """Name and namespace, the kind's own list, and the data of a Secret that is not to be changed."""
        fields = {"metadata.name", "metadata.namespace"} | self.kind.replace_on
        if self.kind is SECRET and not (
            self._mutable_secrets and not old.get("immutable") and not new.get("immutable")
        ):
            fields |= {"data", "stringData"}
        return frozenset(fields)

    def deletes_first(self, old: Properties, new: Properties) -> bool:
        """Only one object can bear a name: true when both bear the one that the program gave."""
        return objects.is_named_alike(old, new)

    def preview(self, inputs: Properties, *, state: Properties | None) -> Properties:
        """Ask the API server what would become of it, where there is one and the inputs are known.

        A new object's server-given values would differ when it is really made, so they stay unknown.
        """
        if state is None:
            foretold = inputs | ({} if self.kind is SECRET else {"status": UNKNOWN})
            foretold |= {"data": UNKNOWN} if "stringData" in inputs else {}
        else:
            foretold = {name: value for name, value in state.items() if name not in self.inputs} | inputs
        if not is_known(inputs):
            return foretold
        ref, manager = self._ref(inputs), (state or {}).get(MANAGER, "pulumi-kubernetes")
        try:
            cluster = self._connect()
            if state is None and cluster.get(ref) is not None:
                return foretold  # it takes the place of one that is deleted first, or its creation will say so
            live = cluster.apply(ref, objects.body(inputs), manager=manager, dry_run=True)
        except UnreachableError:
            return foretold
        except RefusedError as error:
            # Its namespace may be made by the same update; and who may not write may still look ahead.
            if error.status in {403, 404}:
                return foretold
            raise PluginError(f"the API server would refuse {ref}: {error}") from None
        return foretold if state is None else self._outputs(live, manager=manager)

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the object and wait until it is ready."""
        ref, cluster = self._ref(inputs), self._connect()
        if cluster.get(ref) is not None:
            raise PluginError(
                f"{ref} already exists in the cluster and is not in this stack. Delete it, give this "
                "one another name, or adopt it with `pulumi import`. If a resource was renamed in the "
                "program, give it an alias."
            )
        manager = f"pulumi-kubernetes-{secrets.token_hex(4)}"
        outputs = self._applied(cluster, ref, inputs, manager=manager, call=call)
        return objects.identity(outputs), outputs

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Apply the inputs again and wait until the object is ready."""
        manager = state.get(MANAGER) or f"pulumi-kubernetes-{secrets.token_hex(4)}"
        return self._applied(self._connect(), self._ref(inputs), inputs, manager=manager, call=call)

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look at the object; one that is there but not in working order is a PartialFailureError."""
        ref, cluster = self._ref_of(id), self._connect()
        live = cluster.get(ref)
        if live is None:
            return None
        outputs = self._outputs(live, manager=state.get(MANAGER, ""))
        if state and not self._skips_await(state):
            judged = readiness_now(ref, live)
            if not judged.ready:
                failure = unready(cluster, ref, live, judged, since="is there, but not in working order")
                raise PartialFailureError(str(failure), id=id, outputs=outputs)
        return outputs

    def live_inputs(self, outputs: Properties, *, old: Properties) -> Properties:
        """Reduce the live object to what the program says about it."""
        live = {name: value for name, value in outputs.items() if name != MANAGER}
        return objects.live_inputs(live, old=old, fields=self.kind.fields)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the object and wait until it is really gone, finalizers and all."""
        ref, cluster = self._ref_of(id), self._connect()
        live = cluster.get(ref)
        if live is None:
            return
        cluster.delete(ref)
        if not self._skips_await(state):
            timeout = timeout_of(objects.annotations(state).get(objects.TIMEOUT))
            if left := await_gone(cluster, ref, live, call=call, timeout=timeout):
                raise PluginError(left)

    def _applied(self, cluster: Cluster, ref: Ref, inputs: Properties, *, manager: str, call: Call) -> Properties:
        try:
            live = cluster.apply(ref, objects.body(inputs), manager=manager)
        except RefusedError as error:
            raise PluginError(f"the API server refuses {ref}: {error}") from None
        if not self._skips_await(inputs):
            timeout = timeout_of(objects.annotations(inputs).get(objects.TIMEOUT))
            try:
                live = await_ready(cluster, ref, live, call=call, timeout=timeout)
            except (NotReadyError, RefusedError, UnreachableError) as failure:
                # Whatever went wrong, the object is there: it must not be lost from the state.
                last = failure.live if isinstance(failure, NotReadyError) else live
                kept = self._outputs(last, manager=manager)
                raise PartialFailureError(str(failure), id=objects.identity(kept), outputs=kept) from None
        return self._outputs(live, manager=manager)

    def _skips_await(self, obj: Properties) -> bool:
        return objects.annotations(obj).get(objects.SKIP_AWAIT) == "true"

    def _outputs(self, live: Object, *, manager: str) -> Properties:
        return live | {MANAGER: manager} if manager else live

    def _ref(self, inputs: Properties) -> Ref:
        metadata = inputs["metadata"]
        namespace = metadata.get("namespace") or "default" if self.kind.namespaced else ""
        return Ref(self.kind, namespace, metadata["name"])

    def _ref_of(self, id: str) -> Ref:
        namespace, _, name = id.rpartition("/")
        return Ref(self.kind, namespace or "default" if self.kind.namespaced else "", name)


def type_of(kind: Kind, *, connect: Callable[[], Cluster], namespace: str, mutable_secrets: bool) -> ObjectType:
    """Make the resource type of a kind."""
    facts = {
        "kind": kind,
        "token": kind.token,
        "inputs": {"apiVersion": str, "kind": str, "metadata": dict} | dict.fromkeys(kind.fields, object),
        "secrets": kind.secret,
        "filled_in": kind.filled_in,
    }
    made: type[ObjectType] = type(kind.name, (ObjectType,), facts)
    return made(connect=connect, namespace=namespace, mutable_secrets=mutable_secrets)
