"""Why pods are not ready, in the cluster's own words: states, events, a crashed container's last lines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.plugins.kubernetes.cluster import Cluster, Object, RefusedError

REVISION = "deployment.kubernetes.io/revision"
"""Annotation that a Deployment shares with the ReplicaSet it is rolling out."""

PODS_SHOWN = 3
"""Pods of one Deployment mostly fail for one reason."""

EVENTS_SHOWN = 3
"""Latest warnings of one object: the API server keeps them for an hour, and older ones are history."""

LOG_LINES = 10


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the cluster says of an object and its pods."""

    about: Object
    pods: list[Object] = field(default_factory=list)
    owners: list[Object] = field(default_factory=list)
    """Objects in between, such as the ReplicaSet."""
    events: list[Object] = field(default_factory=list)
    """Warnings of the whole namespace; those about others are left out of the explanation."""
    logs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Last log lines by (pod, container)."""


def explanation(evidence: Evidence) -> str:
    """Spell out, a line each, what keeps the object's pods from being ready."""
    lines = list(_events(evidence, evidence.about))
    for condition in _conditions(evidence.about):
        if condition["type"] == "ReplicaFailure" or condition.get("reason") == "ProgressDeadlineExceeded":
            lines.append(f"{condition['reason']}: {condition.get('message', '')}")
    for owner in evidence.owners:
        lines.extend(_events(evidence, owner))
    unready = [pod for pod in evidence.pods if not is_ready(pod)]
    for pod in unready[:PODS_SHOWN]:
        name = pod["metadata"]["name"]
        lines.append(f"pod {name}: " + ("; ".join(troubles(pod)) or "not ready yet"))
        lines.extend(f"  {line}" for line in _events(evidence, pod))
        for (owner_name, container), text in evidence.logs.items():
            if owner_name == name:
                lines.append(f"  last log lines of container {container}:")
                lines.extend(f"    {line}" for line in text.splitlines())
    if len(unready) > PODS_SHOWN:
        lines.append(f"and {len(unready) - PODS_SHOWN} more pods")
    return "\n".join(lines)


def is_ready(pod: Object) -> bool:
    """Tell whether a pod's Ready condition holds."""
    return any(each["type"] == "Ready" and each["status"] == "True" for each in _conditions(pod))


def troubles(pod: Object) -> list[str]:
    """Give what is wrong with a pod: not scheduled, or container by container."""
    found = [
        f"not scheduled: {each.get('message', each.get('reason', ''))}"
        for each in _conditions(pod)
        if each["type"] == "PodScheduled" and each["status"] == "False"
    ]
    for status in container_statuses(pod):
        found.extend(_container_troubles(status))
    return found


def container_statuses(pod: Object) -> list[dict[str, Any]]:
    """Give the statuses of a pod's init containers and containers."""
    status = pod.get("status", {})
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _container_troubles(status: dict[str, Any]) -> Iterator[str]:
    name, state, last = status["name"], status.get("state", {}), status.get("lastState", {})
    if waiting := state.get("waiting"):
        yield f"container {name} is waiting: " + ": ".join(
            filter(None, (waiting.get("reason"), waiting.get("message")))
        )
    elif (ended := state.get("terminated")) and ended.get("exitCode"):
        yield f"container {name} ended with exit code {ended['exitCode']} ({ended.get('reason', 'Error')})"
    elif state.get("running") and not status.get("ready"):
        yield f"container {name} runs but its readiness probe does not succeed"
    if ended := last.get("terminated"):
        yield (
            f"its last run ended with exit code {ended.get('exitCode')} ({ended.get('reason', 'Error')}), "
            f"restarted {status.get('restartCount', 0)} times"
        )


def _conditions(obj: Object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj.get("status", {}).get("conditions", [])
    return found


def _events(evidence: Evidence, obj: Object) -> Iterator[str]:
    own = [each for each in evidence.events if each["involvedObject"].get("uid") == obj["metadata"]["uid"]]
    # A dict, not a set: the latest last, each once.
    texts = dict.fromkeys(
        f"event {each.get('reason')}: {each.get('message', '').strip()}" for each in sorted(own, key=_last_seen)
    )
    yield from list(texts)[-EVENTS_SHOWN:]


def _last_seen(event: Object) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return next(filter(None, times), "")


def about_service(cluster: Cluster, service: Object) -> Evidence:
    """Collect what the cluster says of a Service: the events, such as the cloud controller's."""
    return Evidence(about=service, events=_warnings(cluster, service["metadata"]["namespace"]))


def about_deployment(cluster: Cluster, deployment: Object) -> Evidence:
    """Collect what the cluster says of a Deployment and of the pods of the revision it rolls out."""
    metadata = deployment["metadata"]
    namespace, revision = metadata["namespace"], metadata.get("annotations", {}).get(REVISION)
    owners = [
        each
        for each in cluster.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
        if _is_owned(each, {metadata["uid"]}) and each["metadata"].get("annotations", {}).get(REVISION) == revision
    ]
    uids = {each["metadata"]["uid"] for each in owners}
    pods = [each for each in cluster.items(f"/api/v1/namespaces/{namespace}/pods") if _is_owned(each, uids)]
    logs = {}
    for pod in [each for each in pods if not is_ready(each)][:PODS_SHOWN]:
        for status in container_statuses(pod):
            if text := _last_words(cluster, namespace, pod["metadata"]["name"], status):
                logs[pod["metadata"]["name"], status["name"]] = text
    return Evidence(about=deployment, pods=pods, owners=owners, events=_warnings(cluster, namespace), logs=logs)


def _last_words(cluster: Cluster, namespace: str, pod: str, status: dict[str, Any]) -> str:
    """Give the last log lines of a container that has crashed, none for one that has not."""
    running = bool(status.get("state", {}).get("running"))
    if running or not (status.get("restartCount") or status.get("state", {}).get("terminated")):
        return ""
    previous = not status.get("state", {}).get("terminated")
    try:
        return cluster.log(namespace, pod, container=status["name"], previous=previous, lines=LOG_LINES)
    except RefusedError as error:
        return f"(not to be had: {error})"


def _warnings(cluster: Cluster, namespace: str) -> list[Object]:
    return cluster.items(f"/api/v1/namespaces/{namespace}/events", fieldSelector="type=Warning")


def _is_owned(obj: Object, uids: set[str]) -> bool:
    return any(owner["uid"] in uids for owner in obj["metadata"].get("ownerReferences", ()))
