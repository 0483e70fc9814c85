"""`make doctor`: what a stack needs, what of it is there, and the one command that mends what is not."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from infra.access import fitness
from infra.finding import Finding, State
from infra.settings.registry import EcrRegistry
from ops import settings
from ops.doctor import cloud, images, machine
from ops.errors import OpsError

_SECRETS = ("registry.password", "cluster.kubeconfig", "app.secretKey")
"""The keys whose values the program takes encrypted only."""

_COLOURS = {State.OK: "green", State.MISSING: "red", State.WRONG: "red", State.UNKNOWN: "yellow"}


def run(
    stack: Annotated[str, typer.Option("--stack", help="The stack to look at.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Say what a stack needs, what of it is there, and the command that mends what is not; exit 1 for the latter."""
    found = examine(stack)
    if as_json:
        print(json.dumps([each.plain() for each in found], indent=2))
    else:
        _show(found)
    if any(each.bad for each in found):
        raise typer.Exit(1)


def examine(stack: str) -> list[Finding]:
    """Look at everything that the stack needs. Raises nothing for what is missing: that is a finding."""
    found = [
        machine.python(),
        machine.packages(),
        machine.cli(),
        *machine.plugins(),
    ]
    try:
        read = settings.read(stack)
    except OpsError as error:
        return [*found, refused(error, stack)]
    return [
        *found,
        Finding(check="configuration", state=State.OK, found=f"Pulumi.{stack}.yaml"),
        *_around(read),
    ]


def refused(error: OpsError, stack: str) -> Finding:
    """What to do about a configuration that could not be read, or that the program refuses."""
    check, found = "configuration", str(error)
    if isinstance(error, settings.RefusedError):
        key, what = next(iter(error.problems.items()))
        if what.startswith("found an unknown key"):
            mend = f"pulumi config rm --stack {stack} --path {key}"
        else:
            secret = "--secret " if key in _SECRETS else ""
            mend = f"pulumi config set --stack {stack} {secret}--path {key}"
        found = "; ".join(f"{key}: {what}" for key, what in error.problems.items())
        return Finding(check=check, state=State.WRONG, found=found, mend=mend)
    if "no stack named" in found:
        return Finding(check=check, state=State.MISSING, found=found, mend=f"make new-stack STACK={stack}")
    if "passphrase" in found:
        mend = "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"
        return Finding(check=check, state=State.WRONG, found=found, mend=mend)
    if "logged in" in found or "login" in found:
        return Finding(check=check, state=State.MISSING, found=found, mend="pulumi login")
    return Finding(check=check, state=State.UNKNOWN, found=found, mend=f"pulumi config --stack {stack} --show-secrets")


def _around(stack: settings.Stack) -> list[Finding]:
    """Ask every service at the same time: each may take seconds to not answer."""
    its = stack.settings
    checks: list[Callable[[], list[Finding]]] = [
        lambda: [images.daemon(its.image)],
        lambda: [_registry(stack)],
        lambda: [cloud.identity(its.aws)],
        lambda: [cloud.delegation(its.aws, its.delegated)],
        lambda: [machine.driver(its.cluster)],
        lambda: _cluster(stack),
    ]
    with ThreadPoolExecutor(max_workers=len(checks)) as pool:
        return [each for found in pool.map(lambda check: check(), checks) for each in found]


def _registry(stack: settings.Stack) -> Finding:
    registry = stack.settings.registry
    if isinstance(registry, EcrRegistry):
        return images.ecr(stack.settings.aws)
    return images.registry(registry, stack.password, repository=stack.settings.image.repository)


def _cluster(stack: settings.Stack) -> list[Finding]:
    if stack.kubeconfig is None:
        found = f"driver {stack.settings.cluster.driver} makes it"
        return [Finding(check="cluster", state=State.NOT_NEEDED, found=found)]
    return fitness.examine(stack.kubeconfig, stack.settings.needs)


def _show(found: list[Finding]) -> None:
    console = Console(highlight=False)
    table = Table("what", "state", box=box.SIMPLE)
    table.add_column("found", overflow="fold")
    for each in found:
        colour = _COLOURS.get(each.state, "dim")
        table.add_row(each.check, f"[{colour}]{each.state}[/]", escape(each.found))
    console.print(table)
    bad = [each for each in found if each.bad]
    for each in bad:
        # Not broken into lines: it is to be copied.
        console.print(f"[bold]{each.check}[/]: {escape(each.mend)}", soft_wrap=True)
    console.print(f"[red]{len(bad)} to mend.[/]" if bad else "[green]Nothing to mend.[/]")
