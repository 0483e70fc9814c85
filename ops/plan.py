"""What the engine is about to do, read from `pulumi preview --json`, or has found, from `pulumi refresh`'s."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops import values
from ops.errors import OpsError

_ACTIONS = {
    "same": "same",
    "refresh": "same",
    "read": "same",
    # The record of a replacement that was half done, set right; nothing is done to the resource.
    "remove-pending-replace": "same",
    "create": "create",
    "update": "update",
    "delete": "delete",
    "replace": "replace",
    "create-replacement": "replace",
    "delete-replaced": "replace",
    "import": "import",
    "import-replacement": "replace",
    "read-replacement": "replace",
    # Something that was only read is no longer: it is dropped from the state and stays where it is.
    "discard": "forget",
    "discard-replaced": "forget",
}
"""The engine's operations (pkg/resource/deploy, step.go) by what they mean to a reader."""

# In the embedded cloud the engine says of each plugin where it is; in a plan that is noise.
_NOISE = re.compile(r"warning: using pulumi-[a-z-]+ from \$PATH at ")
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_CLUSTER = re.compile(r"[:$]ejemplo-django:infra:\w*Cluster(::|\$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One property that changes."""

    path: str
    old: str | None
    """Fit to be shown; None where there was nothing."""
    new: str | None
    """Fit to be shown; None where nothing is left."""
    replaces: bool
    """Whether the resource is replaced for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One resource, and what becomes of it."""

    urn: str
    type: str
    name: str
    component: str
    """Type and name of the component it is a part of, such as `Zone zone`; empty for one of the stack itself."""
    action: str
    """`same`, `create`, `update`, `delete`, `replace`, `import` or `forget`."""
    changes: tuple[Change, ...]
    before: Mapping[str, Any] | None
    """Its inputs in the state; None for a new one."""
    after: Mapping[str, Any] | None
    """Its inputs afterwards; None for one that goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All of it."""

    stack: str
    resources: tuple[Resource, ...]
    """Without components and the stack itself, by component and name: the engine's order differs from run to run."""
    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    cluster: tuple[str, ...]
    """What the cluster's driver says it would do: the information it logs on a component whose type ends in
    `Cluster`."""
    complete: bool
    """Whether what stays as it is is named as well; without `--show-sames` it is not."""
    region: str | None
    """AWS's, where the configuration names one."""

    def of(self, action: str) -> list[Resource]:
        """All resources with that action."""
        return [each for each in self.resources if each.action == action]


def read(text: str, *, stack: str | None = None, said: str = "") -> Plan:
    """Read the JSON that pulumi printed.

    `said` is what pulumi wrote beside it: when there is no JSON, pulumi failed before the engine ran, and this
    is the error. `stack` is needed then, as nothing else names it. Raises OpsError for what is no such JSON.
    """
    if not text.strip():
        said = _ANSI.sub("", said).strip()
        if not said or stack is None:
            raise OpsError("There is no JSON of a preview: give the output of `pulumi preview --json --show-sames`.")
        return Plan(stack=stack, resources=(), errors=(said,), warnings=(), cluster=(), complete=True, region=None)
    try:
        digest = json.loads(text)
        said_by_engine = _Diagnostics(digest.get("diagnostics") or [])
        steps = digest.get("steps") or []
    except (ValueError, AttributeError) as error:
        raise OpsError(
            f"This is not what `pulumi preview --json --show-sames` prints ({error}): found {text[:60]!r}."
        ) from error
    named = {step["urn"].split(":")[2] for step in steps}
    if stack is None and not named:
        raise OpsError("The preview names no stack: it ended before the first resource. Give `--stack`.")
    resources: dict[str, Resource] = {}
    for step in steps:
        state = step.get("newState") or step.get("oldState") or {}
        if state.get("custom"):
            found = _resource(step, state)
            resources.setdefault(found.urn + found.action, found)
    unchanged = sum(step["op"] == "same" for step in steps)
    return Plan(
        stack=stack or named.pop(),
        resources=tuple(sorted(resources.values(), key=lambda each: (each.component, each.name))),
        errors=said_by_engine.of("error"),
        warnings=said_by_engine.of("warning"),
        cluster=said_by_engine.cluster(),
        complete=unchanged >= (digest.get("changeSummary") or {}).get("same", 0),
        region=_region(digest.get("config") or {}),
    )


@dataclass(frozen=True, slots=True)
class _Diagnostics:
    entries: list[dict[str, str]]

    def of(self, severity: str) -> tuple[str, ...]:
        messages = (_message(each) for each in self.entries if each.get("severity") == severity)
        return tuple(dict.fromkeys(each for each in messages if each and not _NOISE.match(each)))

    def cluster(self) -> tuple[str, ...]:
        infos = (each for each in self.entries if each.get("severity", "").startswith("info"))
        return tuple(_message(each) for each in infos if _CLUSTER.search(each.get("urn", "")))


def _message(entry: Mapping[str, str]) -> str:
    return _ANSI.sub("", entry.get("message", "")).strip()


def _resource(step: Mapping[str, Any], state: Mapping[str, Any]) -> Resource:
    try:
        action = _ACTIONS[step["op"]]
    except KeyError as error:
        raise OpsError(
            f"The preview has an operation {step['op']!r}, which this program does not know: it was written for "
            "another version of pulumi. Add it to ops/plan.py."
        ) from error
    urn = step["urn"]
    old, new = step.get("oldState") or {}, step.get("newState") or {}
    return Resource(
        urn=urn,
        type=state["type"],
        name=urn.rsplit("::", 1)[1],
        component=_component(state.get("parent", "")),
        action=action,
        changes=() if action in ("same", "delete", "create") else _changes(step, old, new),
        before=None if action in ("create", "import") else old.get("inputs") or {},
        after=None if action in ("delete", "forget") else new.get("inputs") or {},
    )


def _component(urn: str) -> str:
    kind, _, name = urn.partition("::")[2].partition("::")[2].rpartition("::")
    last = kind.rsplit("$", 1)[-1]
    return "" if last in ("", "pulumi:pulumi:Stack") else f"{last.rsplit(':', 1)[-1]} {name}"


def _changes(step: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    # A provider that says no more than which properties differ gives only their names.
    reasons = {*(step.get("diffReasons") or ()), *(step.get("replaceReasons") or ())}
    replacing = {*(step.get("replaceReasons") or ())}
    detailed = step.get("detailedDiff") or {
        path: {"kind": "update-replace" if path in replacing else "update", "inputDiff": True}
        for path in sorted(reasons)
    }
    return tuple(
        _change(path, each, old=old, new=new)
        for path, each in sorted(detailed.items())
        # Pulumi's own, such as the code of a dynamic provider, with nothing to read in it.
        if not path.startswith("__")
    )


def _change(path: str, diff: Mapping[str, Any], *, old: Mapping[str, Any], new: Mapping[str, Any]) -> Change:
    kind = str(diff["kind"])
    left = _found(path, *(old.get(each) for each in (("inputs", "outputs") if diff["inputDiff"] else ("outputs",))))
    right = _found(path, new.get("inputs"), new.get("outputs"))
    # A secret on one side is a secret on the other: what was one must not show for being one no longer.
    if values.SECRET in (left, right):
        left, right = (None if each is None else values.SECRET for each in (left, right))
    return Change(
        path=values.readable(path, new.get("inputs"), old.get("inputs")),
        old=None if left is None or kind.startswith("add") else values.shown(left, beside=right),
        new=None if right is None or kind.startswith("delete") else values.shown(right, beside=left),
        replaces=kind.endswith("-replace"),
    )


def _found(path: str, *states: Any) -> Any:
    for state in states:
        try:
            return values.find(state, path)
        except KeyError:
            continue
    return None


def _region(config: Mapping[str, str]) -> str | None:
    try:
        return str(json.loads(config["ejemplo-django:aws"])["region"])
    except (KeyError, ValueError, TypeError):
        return None
