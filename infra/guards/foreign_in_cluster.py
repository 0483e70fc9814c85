"""Refuse to create an object that exists in the cluster already."""

from collections.abc import Mapping
from typing import Any

import pulumi

from infra import kubectl, threads
from infra.guards import foreign, marked_in_cluster
from infra.kubectl import KubectlError
from infra.ownership import OWNER, is_marked, stack_name, whose


def refused(*, kubeconfig: pulumi.Input[str], namespace: str, domain: str) -> pulumi.ResourceTransformation:
    """Refuse an object whose name somebody else uses: the provider would take most of them over.

    `domain` is a part of the stack's mark. If Pulumi generates the name, refuse a second object of the stack in an
    `up`. ClusterAccess checks the namespace.
    """
    is_preview = pulumi.runtime.is_dry_run()

    async def look(args: pulumi.ResourceHookArgs) -> foreign.There | None:
        inputs = args.new_inputs or {}
        if is_preview and marked_in_cluster.is_generated(inputs):
            return None
        given = await pulumi.Output.from_input(kubeconfig).future()
        if given is None:  # in a preview before the cluster exists
            return None
        return await threads.run(_there, given, namespace, domain, args.name, inputs)

    return foreign.refused("object", look, where=_is_checked)


def _is_checked(args: pulumi.ResourceTransformationArgs) -> bool:
    return args.type_.startswith("kubernetes:") and not args.type_.endswith(":Namespace")


def _there(
    kubeconfig: str, namespace: str, domain: str, logical: str, wanted: Mapping[str, Any]
) -> foreign.There | None:
    name, kind, version = wanted["metadata"]["name"], wanted["kind"], wanted["apiVersion"]
    try:
        with kubectl.connect(kubeconfig) as api:
            if marked_in_cluster.is_generated(wanted):
                ids = marked_in_cluster.find(api, stack=stack_name(), domain=domain, name=logical, inputs=wanted)
                found = f"{kind} {logical}: found {', '.join(ids)}"
                return foreign.There(found=found, ids=ids, ours=True, fix="") if ids else None
            there = api.find(kubectl.path(version, kind, namespace, name))
    except KubectlError as error:
        # The creation then fails by itself, unless the `up` fixes the access first.
        pulumi.log.warn(f"Whether there is a {kind} {namespace}/{name} is not known: {error}")
        return None
    if there is None:
        return None
    annotations = there["metadata"].get("annotations") or {}
    key = "namespace.name" if kind == "Secret" else "app.name"
    mine = f"kubectl --namespace {namespace} annotate {kind.lower()} {name} {OWNER}={stack_name()}"
    return foreign.There(
        found=f"{key}: found the {kind} {namespace}/{name}, {whose(annotations)}",
        ids=[there["metadata"]["uid"]],
        ours=is_marked(annotations, stack=stack_name(), domain=domain),
        fix=f"Set {key} to another name, or delete what is there, if nothing needs it."
        + ("" if OWNER in annotations else f" Should this stack have made it, before marks existed: {mine}"),
    )
