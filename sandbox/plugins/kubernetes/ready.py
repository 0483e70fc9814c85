"""When an object is in working order, and waiting for it."""

import time
from dataclasses import dataclass
from typing import Any

from sandbox.plugins.kubernetes.cluster import Cluster, Object, Ref
from sandbox.plugins.kubernetes.explain import about_deployment, about_service, explanation
from sandbox.plugins.kubernetes.kinds import DEPLOYMENT, SERVICE
from sandbox.plugins.resource import Call

DEFAULT_TIMEOUT = 600
"""Seconds an object may take to become ready or to be gone, unless customTimeouts says otherwise: the ten
minutes of the official provider."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """How far an object is; `text` says it in a few words."""

    ready: bool
    text: str
    hopeless: bool = False
    """Whether waiting longer is no use."""


READY = Readiness(ready=True, text="ready")


class NotReadyError(Exception):
    """An object exists but did not become ready; the message says why, `live` is the object as last seen."""

    def __init__(self, message: str, *, live: Object) -> None:
        """Keep the object for the state."""
        super().__init__(message)
        self.live = live


def deployment_readiness(deployment: Object) -> Readiness:
    """Judge a Deployment: every replica is of the new revision and available, the old ones are gone."""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return Readiness(ready=False, text="waiting for the deployment controller")
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    current = min(updated, available)
    text = f"{current}/{wanted} replicas ready"
    if status.get("replicas", 0) > updated:
        text += f", {status['replicas'] - updated} of the old revision to go"
    is_available = conditions.get("Available", {}).get("status") == "True"
    return Readiness(
        ready=current >= wanted and status.get("replicas", 0) <= updated and is_available,
        text=text,
        hopeless=conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded",
    )


def service_readiness(service: Object, slices: list[Object]) -> Readiness:
    """Judge a Service: it has an endpoint that is ready, and an address if it is a load balancer's.

    `slices` are its EndpointSlices. A Service without a selector, a headless one or an ExternalName has no
    endpoints to wait for.
    """
    spec = service["spec"]
    selects = spec.get("selector") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName"
    ready = [
        endpoint
        for each in slices
        for endpoint in each.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready") is not False
    ]
    if selects and not ready:
        labels = ", ".join(f"{key}={value}" for key, value in spec["selector"].items())
        return Readiness(ready=False, text=f"no ready pod has the labels that it selects ({labels})")
    return service_has_address(service)


def service_has_address(service: Object) -> Readiness:
    """Judge only whether a load balancer's Service has its address."""
    balancer = service.get("status", {}).get("loadBalancer", {})
    if service["spec"].get("type") == "LoadBalancer" and not balancer.get("ingress"):
        return Readiness(ready=False, text="the load balancer has no address yet")
    return READY


def readiness(cluster: Cluster, ref: Ref, live: Object) -> Readiness:
    """Judge an object of any kind; those that nothing happens to are ready at once."""
    if ref.kind is DEPLOYMENT:
        return deployment_readiness(live)
    if ref.kind is SERVICE:
        path = f"/apis/discovery.k8s.io/v1/namespaces/{ref.namespace}/endpointslices"
        return service_readiness(live, cluster.items(path, labelSelector=f"kubernetes.io/service-name={ref.name}"))
    return READY


def readiness_now(ref: Ref, live: Object) -> Readiness:
    """Judge an object as a refresh does, by itself: pods that come and go are not the Service's fault."""
    if ref.kind is DEPLOYMENT:
        return deployment_readiness(live)
    return service_has_address(live) if ref.kind is SERVICE else READY


def unready(cluster: Cluster, ref: Ref, live: Object, state: Readiness, *, since: str) -> NotReadyError:
    """Say why an object is not ready, with the cluster's own evidence; `since` ends the first sentence."""
    evidence = about_deployment(cluster, live) if ref.kind is DEPLOYMENT else about_service(cluster, live)
    reasons = explanation(evidence)
    return NotReadyError(f"{ref} {since}: {state.text}" + (f"\n{reasons}" if reasons else ""), live=live)


def await_ready(cluster: Cluster, ref: Ref, live: Object, *, call: Call, timeout: float) -> Object:
    """Wait until an object is ready; give it as it is then. Raises NotReadyError.

    `timeout` in seconds holds unless the resource has a timeout of its own.
    """
    if readiness(cluster, ref, live).ready:
        return live
    deadline, shown = call.deadline(timeout), ""
    for current in cluster.follow(ref):
        if current is None:
            raise NotReadyError(f"{ref} was deleted by someone else while it was awaited", live=live)
        live, state = current, readiness(cluster, ref, current)
        if state.ready:
            return live
        if state.text != shown:
            shown = state.text
            call.log(shown)
        if call.cancelled.is_set():
            raise NotReadyError(f"{ref} exists, but the wait for it was interrupted: {state.text}", live=live)
        if state.hopeless:
            raise unready(cluster, ref, live, state, since="cannot become ready")
        if time.monotonic() >= deadline:
            raise unready(cluster, ref, live, state, since=f"is not ready after {call.timeout or timeout:g} s")
    raise AssertionError("follow() ends only after an object is gone")


def await_gone(cluster: Cluster, ref: Ref, live: Object, *, call: Call, timeout: float) -> str:
    """Wait until an object has been deleted. Gives why not, empty when it is gone.

    An object of the same name but another uid is somebody's new one.
    """
    deadline, shown = call.deadline(timeout), ""
    for current in cluster.follow(ref):
        if current is None or current["metadata"]["uid"] != live["metadata"]["uid"]:
            return ""
        finalizers = ", ".join(current["metadata"].get("finalizers", ()))
        state = f"waits for its finalizers: {finalizers}" if finalizers else "has no finalizers left"
        if state != shown:
            shown = state
            call.log(state)
        if call.cancelled.is_set():
            return f"{ref} is being deleted, but the wait for that was interrupted; it {state}"
        if time.monotonic() >= deadline:
            events = explanation(about_service(cluster, current)) if ref.kind is SERVICE else ""
            return f"{ref} is still there after {call.timeout or timeout:g} s; it {state}" + (
                f"\n{events}" if events else ""
            )
    return ""


def timeout_of(annotation: Any) -> float:
    """Read the annotation pulumi.com/timeoutSeconds; anything else than a number gives DEFAULT_TIMEOUT."""
    return float(annotation) if isinstance(annotation, str) and annotation.isdecimal() else DEFAULT_TIMEOUT
