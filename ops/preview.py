"""`pulumi preview`, written as the comment that a pull request gets."""

from pathlib import Path
from typing import Annotated

import typer

from ops import comment, cost, engine, plan


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    output: Annotated[Path | None, typer.Option(help="Where to write it; standard output if not given.")] = None,
    revision: Annotated[str | None, typer.Option(help="The commit that is previewed.")] = None,
) -> None:
    """Preview a stack and write the comment; exit code 1 when the preview failed, which the comment then says."""
    printed, said = engine.as_json("preview", "--show-sames", stack=stack)
    planned = plan.read(printed, stack=stack, said=said)
    text = comment.render(planned, cost.table(), revision=revision)
    if output:
        output.write_text(text)
    else:
        print(text, end="")
    if planned.errors:
        raise typer.Exit(1)
