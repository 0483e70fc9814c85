"""Find what was changed outside of the program, by `pulumi refresh`, and keep an issue about it."""

import json
from typing import Annotated

import typer

from ops import command, pulumi
from ops.command import OpsError
from ops.preview import LIMIT, block

_AUTHOR = "github-actions"
"""The app that writes a workflow's issues. An issue of another author is left alone, even with the same title."""


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    issue: Annotated[bool, typer.Option("--issue", help="Open, update or close the repository's issue.")] = False,
) -> None:
    """Look for drift and print it. Nothing is changed; the exit code is 0 with drift and without."""
    found = drift(stack)
    title = f"Drift in {stack}"
    print(f"{title}\n\n{found}" if found else f"Nothing drifted in {stack}.")
    if issue:
        print(_update_issue(title, found))


def drift(stack: str) -> str:
    """Return the differences as `pulumi refresh` prints them; empty for none. Raises OpsError when it fails."""
    # --run-program gives the providers their current credentials: those in the state may have expired.
    options = ("--preview-only", "--run-program", "--expect-no-changes", "--diff")
    done = pulumi.reported("refresh", *options, "--stack", stack, shown=False)
    if done.why and "no changes were expected" not in done.why:
        raise OpsError(f"{stack} was not checked for drift.", done.why, "Fix the error and run the command again.")
    return pulumi.said(done.out) if done.why else ""


def _update_issue(title: str, found: str) -> str:
    """Open, update or close the issue, and return what gh printed."""
    listed = command.run("gh", "issue", "list", "--app", _AUTHOR, "--state", "open", "--json", "number,title")
    number = next((str(each["number"]) for each in json.loads(listed) if each["title"] == title), None)
    if not found:
        return command.run("gh", "issue", "close", number, "--comment", "Nothing differs any more.") if number else ""
    told = "These resources differ from the last deployment. `pulumi up --refresh` restores them."
    body = "\n".join([f"{told} To keep a change, put it into the program.", "", *block(found, limit=LIMIT // 2)])
    if number:
        return command.run("gh", "issue", "edit", number, "--body-file", "-", stdin=body)
    return command.run("gh", "issue", "create", "--title", title, "--body-file", "-", stdin=body)
