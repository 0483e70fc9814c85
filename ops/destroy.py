"""`make down STACK=...`: the end of a real stack, said beforehand, confirmed by name, and audited afterwards.

The audit names what the state knew or what has the stack's own tags, and nothing else: whatever was there before the
stack stays out of it.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

import typer

from ops import aws, pulumi
from ops.command import OpsError
from ops.pulumi import Resource

_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:([0-9]{12}):")


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack to destroy.")],
    confirm: Annotated[str, typer.Option(help="The stack's name once more, where nobody can type it.")] = "",
) -> None:
    """Destroy a stack: say what goes, want its name typed, look for what is left; exit 1 when there is some."""
    state, settings = pulumi.state(stack), pulumi.settings(stack)
    resources = [each for each in state if each.get("custom") and not each["type"].startswith("pulumi:providers:")]
    if resources:
        same_account(state, settings)
        unprotected(state, stack)
        print(f"All of the stack {stack} will be destroyed:\n")
        for line in losses(resources):
            print(f"  {line}")
        confirmed(stack, confirm)
        pulumi.watched("destroy", "--yes", "--skip-preview", "--stack", stack)
    else:
        print(f"The stack {stack} has no resources; looking for what may be left of it.")
    _tell(stack, left(stack, settings, state))


def audit(stack: Annotated[str, typer.Option(help="The stack that was destroyed.")]) -> None:
    """List what has the tags of a destroyed stack, or was made in its cluster; exit 1 when there is something."""
    state, settings = pulumi.state(stack), pulumi.settings(stack)
    if any(each.get("custom") for each in state):
        raise OpsError(
            f"{stack} was not audited.", "It is not destroyed.", f"Destroy it first: make down STACK={stack}"
        )
    _tell(stack, left(stack, settings, state))


def same_account(state: Iterable[Resource], settings: Mapping[str, Any]) -> None:
    """Raise OpsError when the state is of another AWS account than these credentials.

    Destroyed from there, nothing would be found, and the state would forget what goes on costing.
    """
    arns = [str((each.get("outputs") or {}).get("arn")) for each in state if each["type"].startswith("aws:")]
    known = {found[1] for arn in arns if (found := _ACCOUNT.match(arn))}
    here = aws.account(settings)
    if others := known - {here}:
        raise OpsError(
            "Nothing was destroyed.",
            f"The state is of the AWS account {', '.join(sorted(others))}, and these credentials are of {here}.",
            "Set AWS_PROFILE to a profile of the account in the state.",
        )


def unprotected(state: Iterable[Resource], stack: str) -> None:
    """Raise OpsError when the state has protected resources, which Pulumi would refuse to delete halfway."""
    if names := [_name(each) for each in state if each.get("protect")]:
        raise OpsError(
            "Nothing was destroyed.",
            f"The stack {stack} is protected: {', '.join(names)}.",
            f"Lift that first: pulumi config set protect false --stack {stack} && pulumi up --stack {stack}",
        )


def losses(resources: Iterable[Resource]) -> Iterator[str]:
    """What will be lost, a line each: resources by type, and those that go with all that is in them."""
    resources = list(resources)
    for type_, count in sorted(Counter(each["type"].rpartition(":")[2] for each in resources).items()):
        yield f"{count:3} {type_}"
    for each in resources:
        if (each.get("inputs") or {}).get("forceDestroy") is True:
            yield f"with all that is in it: {_name(each)} ({each.get('id', '')})"


def confirmed(stack: str, given: str) -> None:
    """Have the stack's name typed. Raises OpsError when it is another, or when nobody can type."""
    if not given and not sys.stdin.isatty():
        raise OpsError("Nothing was destroyed.", "Nobody can be asked: no terminal.", f"Add --confirm {stack}")
    given = given or typer.prompt(f"\nType the stack's name to destroy it ({stack})")
    if given != stack:
        raise OpsError(
            "Nothing was destroyed.", f"{given!r} is not the stack's name.", f"Type {stack}, or leave it as it is."
        )


def left(stack: str, settings: Mapping[str, Any], state: Iterable[Resource]) -> list[str]:
    """What is there of a destroyed stack, by ARN; `state` is that of before. Raises OpsError when it is not known."""
    tags = (settings.get("aws") or {}).get("tags") or {}
    if stack not in tags.values():
        raise OpsError(
            f"{stack} was not audited.",
            "No tag in aws.tags has the stack's name as its value, so nothing tells its resources from another's.",
            f"Before the next `up`: pulumi config set --stack {stack} --path aws.tags.stack {stack}",
        )
    found = set(aws.tagged(settings, tags))
    cluster = settings.get("cluster") or {}
    if cluster.get("driver") != "existing":
        # The cluster was the stack's own, and so was all that its controllers made.
        found |= set(aws.tagged(settings, {f"kubernetes.io/cluster/{cluster.get('name')}": ""}))
    for service, balancer in _balancers(state):
        made = aws.tagged(settings, {"kubernetes.io/service-name": service})
        found |= {arn for arn in made if re.search(rf"/{re.escape(balancer)}(/|$)", arn)}
    return sorted(arn for arn in found if ":key/" not in arn or not aws.goes(settings, arn))


def _balancers(state: Iterable[Resource]) -> Iterator[tuple[str, str]]:
    """The Services of the state by namespace and name, and the balancers that AWS's controllers made for them.

    A balancer's host name begins with its own name, a hyphen, and digits that AWS adds.
    """
    for each in state:
        outputs = each.get("outputs") or {}
        if each["type"] == "kubernetes:core/v1:Service":
            metadata, status = outputs.get("metadata") or {}, outputs.get("status") or {}
            for point in (status.get("loadBalancer") or {}).get("ingress") or ():
                name = str(point.get("hostname", "")).partition(".")[0].removeprefix("internal-").rpartition("-")[0]
                if name:
                    yield f"{metadata.get('namespace')}/{metadata.get('name')}", name


def _tell(stack: str, arns: list[str]) -> None:
    if not arns:
        print(f"Nothing is left of {stack} in AWS, by its tags and its state.")
        return
    for arn in arns:
        print(f"Left: {arn}")
    raise OpsError(
        f"{len(arns)} of {stack} are left.",
        "They have its tags, or were made in its cluster. AWS lists some things for an hour after they are gone.",
        f"Delete them, and look again: python -m ops audit --stack {stack}",
    )


def _name(resource: Resource) -> str:
    return str(resource["urn"]).rpartition("::")[2]
