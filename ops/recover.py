"""`ops recover`: after an interrupted run, import what it created and the state does not have.

The engine records a creation in the state when it begins (a pending operation), and removes the record when it ends.
This command looks for the resource of each record, and for those that left none. One that carries the stack's mark
becomes a resource of the state; the other records are removed, since nothing was created. It deletes no resource.
"""

import json
import re
import socket
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pulumi.runtime.rpc import UNKNOWN

from infra.guards import own_state
from ops import command, new_cluster, preview, pulumi, remains
from ops.command import OpsError
from ops.pulumi import Resource
from ops.remains import Found

Operation = dict[str, Any]
"""A pending operation, as the state has it: its `type` and its `resource`."""

_LOCKED = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>[0-9]+)\)")
"""The owner of a lock, as the engine prints it for a backend in files or in a bucket."""


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack whose last run was interrupted.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    unlock: Annotated[
        bool,
        typer.Option("--unlock", help="Release the lock whoever holds it, also on another machine."),
    ] = False,
    anew: Annotated[
        bool,
        typer.Option(
            "--new-cluster", help="Another cluster has the same name: remove the old one's objects from the state."
        ),
    ] = False,
) -> None:
    """Import what an interrupted run created and the state does not have."""
    for line in pulumi.repaired():
        print(f"  {line}")
    if anew:
        exported = pulumi.exported(stack)
        deployment, names = new_cluster.forgotten(exported["deployment"])
        print(f"The next `up` creates these in the cluster that exists now: {', '.join(names)}.")
        print("If the old cluster still exists, they stay in it too.")
        _confirmed(stack, yes=yes)
        _import(stack, exported, deployment, unlock=unlock)
        return
    # Pending operations first: no preview works before. Then round by round: a preview knows the inputs of a resource
    # only once the state has what it depends on.
    changed = _taken_over(stack, _pending(stack), yes=yes, unlock=unlock)
    tried: set[str] = set()
    while _taken_over(stack, lost := _lost(stack, but=tried), yes=yes, unlock=unlock):
        changed = True
        tried |= {each["resource"]["urn"] for each in lost.operations}
    if changed:
        print(f"{stack} is whole again. Next: pulumi up --refresh --stack {stack}")
    else:
        print(f"No run of {stack} was interrupted: nothing to do.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Creations with an unknown outcome, and what was found of them."""

    exported: Mapping[str, Any]
    """The state at the time of the search."""
    operations: Sequence[Operation]
    found: Mapping[str, Found]
    """What the operations created, by URN."""


def _taken_over(stack: str, doubt: Doubt, *, yes: bool, unlock: bool) -> bool:
    """Import what was found, and refresh it; return whether there was anything to do."""
    if doubt.operations:
        for operation in doubt.operations:
            print(f"  {_plan(operation, doubt.found)}")
        for urn, there in doubt.found.items():
            for other in there.others:
                print(f"  {_name(urn)}: {other} stays as it is; delete it yourself if nothing needs it")
        _confirmed(stack, yes=yes)
        _import(stack, doubt.exported, recovered(doubt), unlock=unlock)
    exported = pulumi.exported(stack) if doubt.operations else doubt.exported
    unread = own_state.unread(exported["deployment"])
    if unread:
        targets = [word for urn in unread for word in ("--target", urn)]
        pulumi.watched("refresh", "--yes", "--skip-preview", "--stack", stack, *targets)
    return bool(doubt.operations or unread)


def _pending(stack: str) -> Doubt:
    """Return the pending operations of the state."""
    exported = pulumi.exported(stack)
    operations = exported["deployment"].get("pending_operations") or []
    found = remains.find(stack, exported["deployment"], operations, pulumi.settings(stack)) if operations else {}
    return Doubt(exported=exported, operations=operations, found=found)


def _lost(stack: str, *, but: Collection[str]) -> Doubt:
    """Return the creations that left no pending operation, without the URNs of `but`.

    When a plugin dies during a call, or Ctrl-C is pressed twice, the engine takes the creation for a failed one. A
    preview plans it again, so everything that it would create is looked for. Raise OpsError if the preview fails.
    """
    exported = pulumi.exported(stack)
    report, errors = preview.planned(stack)
    if errors:
        raise OpsError(
            f"What an interrupted run of {stack} created and did not record was not looked for: the preview fails.",
            "\n".join(errors),
            f"Fix the error, then: .venv/bin/python -m ops recover --stack {stack}",
        )
    creations = [
        {"type": "creating", "resource": each["newState"]}
        for each in report.get("steps") or []
        if each["op"] in ("create", "replace") and each["urn"] not in but and _may_exist(each["newState"])
    ]
    found = remains.find(stack, exported["deployment"], creations, pulumi.settings(stack)) if creations else {}
    # The others depend on what the state does not have yet.
    found = {urn: there for urn, there in found.items() if there.id}
    operations = [each for each in creations if each["resource"]["urn"] in found]
    return Doubt(exported=exported, operations=operations, found=found)


def _may_exist(resource: Resource) -> bool:
    """Return whether its provider and every id among its inputs exist; otherwise it cannot exist either."""
    inputs = resource.get("inputs") or {}
    return (
        resource["type"].startswith(("aws:", "kubernetes:"))
        and not resource.get("provider", "").endswith(f"::{UNKNOWN}")
        and UNKNOWN not in inputs.values()
    )


def settled(stack: str) -> list[pulumi.Resource]:
    """Return the resources in the stack's state. Raise OpsError if the outcome of an interrupted run is unknown."""
    deployment = pulumi.exported(stack)["deployment"]
    if names := [_name(urn) for urn in own_state.in_doubt(deployment)]:
        raise OpsError(
            "Nothing was changed.",
            f"An earlier run of {stack} was interrupted while it made {', '.join(names)}.",
            f"First: .venv/bin/python -m ops recover --stack {stack}",
        )
    return list(deployment.get("resources") or [])


def recovered(doubt: Doubt) -> dict[str, Any]:
    """Return the state with the found resources, and without pending operations.

    The next refresh reads an entry without outputs as if it were imported. Until then no `up` creates anything
    (infra/guards/interrupted.py): it would take the missing outputs for changes.
    """
    deployment = doubt.exported["deployment"]
    resources = list(deployment.get("resources") or ())
    for operation in doubt.operations:
        new: Resource = operation["resource"]
        id_ = doubt.found.get(new["urn"], Found()).id
        if operation["type"] != "creating" or not id_:
            continue
        entry = {**new, "id": id_, "inputs": _named(new, id_), "outputs": {}}
        at = next((at for at, each in enumerate(resources) if each["urn"] == new["urn"]), None)
        if at is None:
            resources.append(entry)
            continue
        # It replaces that one, which is deleted already or waits for its deletion.
        old, resources[at] = resources[at], entry
        if not old.get("pendingReplacement"):
            resources.append({**old, "delete": True})
    return {key: each for key, each in deployment.items() if key != "pending_operations"} | {"resources": resources}


def _named(resource: Resource, id_: str) -> Mapping[str, Any]:
    """Return a resource's inputs, for an object in the cluster with its actual name: a preview generates another."""
    inputs: Mapping[str, Any] = resource["inputs"]
    if not resource["type"].startswith("kubernetes:"):
        return inputs
    return {**inputs, "metadata": {**inputs["metadata"], "name": id_.rpartition("/")[2]}}


def _confirmed(stack: str, *, yes: bool) -> None:
    """Ask for confirmation. Raise OpsError without it."""
    if not yes and not typer.confirm("Change the state like this?"):
        again = f".venv/bin/python -m ops recover --stack {stack} --yes"
        raise OpsError("Nothing was done.", "It was not confirmed.", again)


def _plan(operation: Mapping[str, Any], found: Mapping[str, Found]) -> str:
    resource = operation["resource"]
    what = f"{resource['type'].rpartition(':')[2]} {_name(resource['urn'])}"
    if operation["type"] != "creating":
        return f"{what}: the next run continues it"
    there = found.get(resource["urn"])
    if there and there.id:
        return f"{what}: import {there.id}"
    if there:
        return f"{what}: exists, but the state lacks what it depends on; remove the record"
    return f"{what}: was not created, or can be created again; remove the record"


def _import(stack: str, exported: Mapping[str, Any], deployment: Mapping[str, Any], *, unlock: bool) -> None:
    """Import a state in place of the exported one, once no run holds the lock. Raise OpsError."""
    if pulumi.exported(stack)["deployment"].get("manifest") != exported["deployment"].get("manifest"):
        raise OpsError(
            "Nothing was done.", f"Another run changed the state of {stack} meanwhile.", "Run the command again."
        )
    state = json.dumps({**exported, "deployment": deployment})
    try:
        pulumi.run("stack", "import", "--stack", stack, stdin=state)
        return
    except OpsError as error:
        if "lock" not in error.why and "Conflict" not in error.why:
            raise
        owner = _LOCKED.search(error.why)
        here = owner is not None and owner["host"] == socket.gethostname()
        forced = f".venv/bin/python -m ops recover --stack {stack} --unlock"
        if owner and here and not unlock and _is_pulumi(owner["pid"]):
            raise OpsError(
                "Nothing was done.",
                f"A run of {stack} is still going on, as process {owner['pid']}.",
                f"Wait until it ends, and run this again. If that process works on something else: {forced}",
            ) from error
        if not (here or unlock):
            raise OpsError(
                "Nothing was done.",
                f"The stack is locked, and this machine cannot tell whether that run still goes on: {error.why}",
                f"Once you know that it ended: {forced}",
            ) from error
    pulumi.run("cancel", "--yes", "--stack", stack)
    pulumi.run("stack", "import", "--stack", stack, stdin=state)


def _is_pulumi(process: str) -> bool:
    """Return whether a process is a pulumi: after a restart, the number of a dead run may be another program's."""
    return Path(command.ended("ps", "-p", process, "-o", "comm=").stdout.strip()).name == "pulumi"


def _name(urn: str) -> str:
    return urn.rpartition("::")[2]
