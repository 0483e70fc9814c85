"""What an `up` would do to the cluster: the changes to its spec, and kops' own dry run on a copy of its store."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from infra.cluster.kops import manifests
from infra.cluster.kops.command import Kops, KopsError, NotFoundError

Plan = dict[str, list[str]]
"""The changes, by kind: `spec`, `create`, `modify`, `delete`, `later` (what kops deletes only once nothing uses it) and
`roll` (the groups whose machines are replaced one by one). A kind without changes has no key."""

_HEADINGS = {
    "Will create resources:": "create",
    "Will modify resources:": "modify",
    "Items will be deleted during update:": "delete",
    "Items will be deleted only when the --prune flag is specified:": "later",
}
_TITLES = {
    "spec": "in the spec",
    "create": "to create",
    "modify": "to modify",
    "delete": "to delete",
    "later": "to delete at the end",
    "roll": "node groups to roll, machine by machine",
}
_WHOLE_SPEC = "ManagedFile/cluster-completed.spec"
_SHOWN = 12
"""The lines of a kind that are shown before the rest is only counted; the resource's `plan` has all of them."""


def make(live: Kops, documents: str) -> Plan:
    """Return what these manifests would change, without changing anything.

    kops gets a copy of the store in a directory, and writes only there. With a live store of "", or one without the
    cluster, the copy is empty at first. Otherwise kops keeps reading from the live store what the machines read from
    it, such as the cluster's certificates: with another location in its spec, every machine would seem changed. Raise
    KopsError for what kops refuses, or can never do.
    """
    stored = _stored(live)
    changed = spec_changes(stored, documents)
    for each in changed:
        if ": spec.networkCIDR: " in each:
            raise KopsError(
                f"kops cannot move a cluster to another network, and fails only after ten minutes: {each}. "
                "Put cluster.networkCidr back, or set another cluster.name, for another cluster."
            )
    with tempfile.TemporaryDirectory(prefix="kops-store-") as directory:
        copy = replace(live, store=f"file://{directory}")
        if stored:
            copy.replace(stored)
            copy.replace(manifests.stored_in(documents, base=base(live)))
        else:
            copy.replace(documents)
        found = read(copy.dry_run())
        pending = copy.to_roll() if stored else []
    # kops stores the whole spec, dated, beside it: in a copy it always differs, and `spec` has the real changes.
    found["modify"] = [each for each in found.get("modify", []) if not each.startswith(_WHOLE_SPEC)]
    gone = sorted(set(manifests.groups(stored)) - set(manifests.groups(documents)))
    found["delete"] = found.get("delete", []) + [f"InstanceGroup/{each} and its machines" for each in gone]
    found["roll"] = sorted({*_rolling(found.get("modify", []), name=live.name), *pending} - set(gone))
    found["spec"] = changed
    return {kind: found[kind] for kind in _TITLES if found.get(kind)}


def base(kops: Kops) -> str:
    """Return the location in the store where the cluster's machines find what they need."""
    return f"{kops.store}/{kops.name}"


def spec_changes(stored: str, documents: str) -> list[str]:
    """Return where the manifests differ from those in the store, by path.

    Only what the manifests set counts: kops adds its own defaults to what it stores.
    """
    old, new = _by_name(stored), _by_name(documents)
    changes = [f"{key}: removed" for key in sorted(old.keys() - new.keys())]
    for key in sorted(new):
        if key not in old:
            changes.append(f"{key}: added")
        else:
            changes += [f"{key}: {change}" for change in _differences(old[key]["spec"], new[key]["spec"], "spec")]
    return changes


def read(said: str) -> Plan:
    """Parse the report of a dry run; the changed fields of a resource follow it."""
    found: Plan = {}
    kind = ""
    for line in said.splitlines():
        if line in _HEADINGS:
            kind = _HEADINGS[line]
        elif not line.startswith("  "):
            kind = kind if not line.strip() else ""
        elif kind and line.startswith("  \t"):
            # With an endpoint, the control plane's start script contains the store's login; a plan is stored and shown.
            if kind == "modify" and (text := " ".join(line.split())) and "S3_SECRET_ACCESS_KEY" not in text:
                found[kind][-1] += f"\n{text}"
        elif kind:
            found.setdefault(kind, []).append(" ".join(line.split()))
    return found


def text(plan: Plan) -> str:
    """Return the plan for people, with long lists shortened."""
    parts = []
    for kind, title in _TITLES.items():
        if lines := plan.get(kind):
            shown = [each.replace("\n", "\n      ") for each in lines[:_SHOWN]]
            more = [f"... and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
            parts.append(f"  {title} ({len(lines)}):\n" + "\n".join(f"    {each}" for each in shown + more))
    return "\n".join(parts) or "  nothing"


def _stored(live: Kops) -> str:
    if not live.store:
        return ""
    try:
        return live.stored()
    except NotFoundError:
        return ""


def _by_name(text: str) -> dict[str, manifests.Manifest]:
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in manifests.parse(text)}


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted(new):
            yield from _differences(old.get(key), new[key], f"{path}.{key}")
    elif isinstance(old, Sequence) and isinstance(new, Sequence) and not isinstance(new, str) and len(old) == len(new):
        for index, each in enumerate(new):
            yield from _differences(old[index], each, f"{path}[{index}]")
    elif old != new and (old or new):  # an empty list or object is stored as nothing
        yield f"{path}: {old!r} -> {new!r}"


def _rolling(modified: Sequence[str], *, name: str) -> Iterator[str]:
    """Yield the groups whose machines are replaced, because their launch template changes.

    kops names a launch template after the group and its role.
    """
    for each in modified:
        task = each.split("\n")[0]
        if task.startswith("LaunchTemplate/"):
            template = task.removeprefix("LaunchTemplate/").removesuffix(f".{name}")
            yield template.removesuffix(".masters")
