"""`pulumi preview`, written as the comment that a pull request gets."""

import os
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from ops import comment, cost, engine, plan
from ops.errors import OpsError


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    output: Annotated[Path | None, typer.Option(help="Where to write it; standard output if not given.")] = None,
    revision: Annotated[str | None, typer.Option(help="The commit that is previewed.")] = None,
) -> None:
    """Preview a stack and write the comment; exit code 1 when the preview failed, which the comment then says."""
    printed, said = engine_json("preview", "--show-sames", stack=stack)
    planned = plan.read(printed, stack=stack, said=said)
    text = comment.render(planned, cost.table(), revision=revision)
    if output:
        output.write_text(text)
    else:
        print(text, end="")
    if planned.errors:
        raise typer.Exit(1)


def engine_json(*command: str, stack: str) -> tuple[str, str]:
    """Run a pulumi command with `--json`; give the JSON, empty when it never came to that, and what it said besides.

    A command that fails is no error here: the JSON says so, or else the other text. Raises OpsError when there
    is no pulumi, or when it failed and left neither.
    """
    arguments = [*command, "--json", "--stack", stack, "--non-interactive", "--color", "never"]
    try:
        ended = subprocess.run(
            ["pulumi", *arguments],
            cwd=engine.PROJECT,
            env=os.environ | {"PULUMI_SKIP_UPDATE_CHECK": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise OpsError("There is no `pulumi` on PATH. `make doctor` says which version to install, and how.") from error
    if ended.returncode and not ended.stdout.strip() and not ended.stderr.strip():
        raise OpsError(f"`pulumi {' '.join(arguments)}` ended with {ended.returncode} and said nothing.")
    return ended.stdout, ended.stderr
