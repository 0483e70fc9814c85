"""The command line, `python -m ops <command>`: each command is a function of the module of its name."""

import sys

import typer

from ops import (
    audit,
    comment,
    deploy,
    doctor,
    drift,
    graph,
    new_stack,
    preview,
    publish,
    smoke,
    summary,
    teardown,
)
from ops.errors import OpsError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="What is done with a stack around `pulumi up`.",
)


@app.callback()
def _ops() -> None:
    """What is done with a stack around `pulumi up`."""


# One line for each command, by its name.
app.command("comment")(comment.run)
app.command("preview")(preview.run)
app.command("publish")(publish.run)
app.command("deploy")(deploy.run)
app.command("smoke")(smoke.run)
app.command("drift")(drift.run)
app.command("doctor")(doctor.run)
app.command("new-stack")(new_stack.run)
app.command("graph")(graph.run)
app.command("summary")(summary.run)
app.command("open")(summary.open_site)
app.command("down")(teardown.run)
app.command("audit")(audit.run)


def main() -> None:
    """Run a command; an OpsError is printed as a paragraph, and the exit code is 1."""
    try:
        app()
    except OpsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
