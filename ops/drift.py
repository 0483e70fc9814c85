"""What was changed behind the program's back, as `pulumi refresh` sees it, and the issue about it."""

import json
from typing import Annotated

import typer

from ops import command, pulumi
from ops.command import OpsError
from ops.preview import LIMIT, block

_AUTHOR = "github-actions"
"""The app in whose name a workflow writes: an issue of somebody else is left alone, whatever its title."""


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    issue: Annotated[bool, typer.Option("--issue", help="Open, renew or close the issue of the repository.")] = False,
) -> None:
    """Look for drift, without changing anything; exit code 0 either way."""
    found = drift(stack)
    title = f"Drift in {stack}"
    print(f"{title}\n\n{found}" if found else f"Nothing drifted in {stack}.")
    if issue:
        print(_settle(title, found))


def drift(stack: str) -> str:
    """What `pulumi refresh` says of the differences; empty when there are none. Raises OpsError when it failed."""
    # With the program, for the providers' present credentials: those in the state may have run out.
    options = ("--preview-only", "--run-program", "--expect-no-changes", "--diff")
    done = pulumi.ended("refresh", *options, "--stack", stack)
    if done.returncode and "no changes were expected" not in done.stderr:
        why = pulumi.said(done.stderr) or pulumi.said(done.stdout)
        raise OpsError(f"Whether {stack} drifted is not known.", why, "Fix what pulumi says, and look again.")
    return pulumi.said(done.stdout) if done.returncode else ""


def _settle(title: str, found: str) -> str:
    """Open, renew or close the issue; says what was done."""
    listed = command.run("gh", "issue", "list", "--app", _AUTHOR, "--state", "open", "--json", "number,title")
    number = next((str(each["number"]) for each in json.loads(listed) if each["title"] == title), None)
    if not found:
        return command.run("gh", "issue", "close", number, "--comment", "Nothing differs any more.") if number else ""
    told = (
        "This is how things differ from what was last deployed. `pulumi up --refresh` puts them back; what is to stay"
    )
    body = "\n".join([f"{told} belongs into the program.", "", *block(found, limit=LIMIT // 2)])
    if number:
        return command.run("gh", "issue", "edit", number, "--body-file", "-", stdin=body)
    return command.run("gh", "issue", "create", "--title", title, "--body-file", "-", stdin=body)
