"""The command line, `python -m ops <command>`: each command is the function `run` of a module."""

import signal
import sys
import webbrowser
from typing import Annotated

import typer

from ops import check_site, deploy, destroy, doctor, drift, preview, pulumi, recover
from ops.command import OpsError


def application() -> typer.Typer:
    """Return the command line with all commands."""
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help="Check, preview, deploy, recover and destroy a stack.",
    )
    app.command("preview")(preview.run)
    app.command("deploy")(deploy.run)
    app.command("check-site")(check_site.run)
    app.command("drift")(drift.run)
    app.command("doctor")(doctor.run)
    app.command("recover")(recover.run)
    app.command("open")(open_site)
    app.command("down")(destroy.run)
    app.command("audit")(destroy.audit)
    return app


def open_site(stack: Annotated[str, typer.Option(help="The stack.")]) -> None:
    """Print the URL of a stack's site and open it in the browser, if there is one."""
    url = str(pulumi.deployed(stack)["url"])
    print(url)
    webbrowser.open(url)


def main() -> None:
    """Run the command line. An OpsError is printed last, and the exit code is 1."""
    # Raise SystemExit on these signals, so that cleanup runs: by default Python stops at once.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        application()()
    except OpsError as error:
        sys.stdout.flush()
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
