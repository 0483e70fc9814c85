"""The command line, `python -m ops <command>`: each command is a function of the module of its name."""

import signal
import sys
from collections.abc import Callable, Mapping

import typer

from ops import (
    audit,
    comment,
    deploy,
    doctor,
    drift,
    github,
    graph,
    new_stack,
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
_COMMANDS: Mapping[str, Callable[..., None]] = {
    "preview": comment.run,
    "publish": github.run,
    "deploy": deploy.run,
    "smoke": smoke.run,
    "drift": drift.run,
    "doctor": doctor.run,
    "new-stack": new_stack.run,
    "graph": graph.run,
    "summary": summary.run,
    "open": summary.open_site,
    "down": teardown.run,
    "audit": audit.run,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)


def main() -> None:
    """Run a command; an OpsError is printed as a paragraph, and the exit code is 1."""
    # Ended as by Ctrl-C, so that what was begun is taken back: otherwise Python would just stop.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except OpsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
