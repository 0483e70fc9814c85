"""The command line, `python -m ops <command>`: each command is a function of the module of its name."""

import sys

import typer

from ops import comment
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


def main() -> None:
    """Run a command; an OpsError is printed as a paragraph, and the exit code is 1."""
    try:
        app()
    except OpsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
