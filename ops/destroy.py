"""`make down STACK=...`: list what a real stack loses, have its name typed, destroy it, and audit what is left.

The audit lists what has the stack's mark, and what AWS's controllers made in the stack's own cluster or for its
Service. Nothing else is listed: it belongs to somebody else.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from infra.ownership import OWNER
from ops import aws, pulumi, recover
from ops.command import OpsError
from ops.pulumi import Resource


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack to destroy.")],
    confirm: Annotated[str, typer.Option(help="The stack's name again, for use without a terminal.")] = "",
) -> None:
    """Destroy a stack: list what is lost, ask for its name, list what is left. Exit 1 when something is left."""
    state, settings = recover.settled(stack), pulumi.settings(stack)
    resources = [each for each in state if each.get("custom") and not each["type"].startswith("pulumi:providers:")]
    if resources:
        aws.same_account(state, settings)
        unprotected(state, stack)
        print(f"Everything in the stack {stack} will be destroyed:\n")
        for line in losses(resources):
            print(f"  {line}")
        confirmed(stack, confirm)
        pulumi.watched("destroy", "--yes", "--skip-preview", "--stack", stack)
    else:
        print(f"The stack {stack} has no resources. Looking for what is left of it in AWS.")
    _report(stack, left(stack, settings, state))


def audit(stack: Annotated[str, typer.Option(help="The stack that was destroyed.")]) -> None:
    """List what has the tag of a destroyed stack or was made in its cluster. Exit 1 when something is left."""
    state, settings = pulumi.state(stack), pulumi.settings(stack)
    if any(each.get("custom") for each in state):
        raise OpsError(
            f"{stack} was not audited.", "It is not destroyed.", f"Destroy it first: make down STACK={stack}"
        )
    _report(stack, left(stack, settings, state))


def unprotected(state: Iterable[Resource], stack: str) -> None:
    """Raise OpsError when the state has protected resources: Pulumi would stop at them, halfway."""
    if names := [_name(each) for each in state if each.get("protect")]:
        raise OpsError(
            "Nothing was destroyed.",
            f"The stack {stack} is protected: {', '.join(names)}.",
            f"Remove it: pulumi config set protect false --stack {stack} && pulumi up --refresh --stack {stack}",
        )


def losses(resources: Iterable[Resource]) -> Iterator[str]:
    """Yield a line for each type of resource, with its count, and one for each that is deleted with its contents."""
    resources = [each for each in resources if not each.get("external")]  # only looked up, not deleted
    for type_, count in sorted(Counter(each["type"].rpartition(":")[2] for each in resources).items()):
        yield f"{count:3} {type_}"
    for each in resources:
        if (each.get("inputs") or {}).get("forceDestroy") is True:
            yield f"with everything in it: {_name(each)} ({each.get('id', '')})"


def confirmed(stack: str, given: str) -> None:
    """Ask for the stack's name. Raises OpsError when the answer differs, or without a terminal to ask on."""
    if not given and not sys.stdin.isatty():
        raise OpsError("Nothing was destroyed.", "There is no terminal to ask on.", f"Add --confirm {stack}")
    given = given or typer.prompt(f"\nType the stack's name to destroy it ({stack})")
    if given != stack:
        raise OpsError(
            "Nothing was destroyed.", f"{given!r} is not the stack's name.", f"Run it again and type {stack}."
        )


def left(stack: str, settings: Mapping[str, Any], state: Iterable[Resource]) -> list[str]:
    """Return the ARNs of what is left of a destroyed stack. `state` is from before. Raises OpsError."""
    name = pulumi.whole_name(stack)
    found = {*aws.tagged(settings, OWNER, name), *aws.untagged(settings, name)}
    cluster = settings.get("cluster") or {}
    if cluster.get("driver") != "existing":
        # The cluster was the stack's own, and so is what its controllers made: `owned`, unlike what is `shared`.
        found |= set(aws.tagged(settings, f"kubernetes.io/cluster/{cluster.get('name')}", "owned"))
    for service, balancer in _balancers(state):
        made = aws.tagged(settings, "kubernetes.io/service-name", service)
        found |= {arn for arn in made if re.search(rf"/{re.escape(balancer)}(/|$)", arn)}
    return sorted(arn for arn in found if ":key/" not in arn or not aws.goes(settings, arn))


def _balancers(state: Iterable[Resource]) -> Iterator[tuple[str, str]]:
    """Yield `namespace/name` of each Service in the state, and the name of its load balancer.

    A load balancer's host name is its name, a hyphen, and digits that AWS adds.
    """
    for each in state:
        outputs = each.get("outputs") or {}
        if each["type"] == "kubernetes:core/v1:Service":
            metadata, status = outputs.get("metadata") or {}, outputs.get("status") or {}
            for point in (status.get("loadBalancer") or {}).get("ingress") or ():
                name = str(point.get("hostname", "")).partition(".")[0].removeprefix("internal-").rpartition("-")[0]
                if name:
                    yield f"{metadata.get('namespace')}/{metadata.get('name')}", name


def _report(stack: str, arns: list[str]) -> None:
    if not arns:
        print(f"Nothing is left of {stack} in AWS, by its tag and its state.")
        return
    for arn in arns:
        print(f"Left: {arn}")
    raise OpsError(
        f"{len(arns)} of {stack} are left.",
        "They have its tag or were made in its cluster. AWS lists some resources for an hour after their deletion.",
        f"Delete them, then look again: .venv/bin/python -m ops audit --stack {stack}",
    )


def _name(resource: Resource) -> str:
    return str(resource["urn"]).rpartition("::")[2]
