"""`pulumi up` with a smoke test behind it, and a summary that names the way back."""

from pathlib import Path
from typing import Annotated

import typer

from ops import engine, settings, smoke
from ops.errors import OpsError
from ops.markdown import block, code


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    digest: Annotated[
        str, typer.Option(help="Run this image, sha256:..., instead of building; first set as image.digest.")
    ] = "",
    summary: Annotated[Path | None, typer.Option(envvar="GITHUB_STEP_SUMMARY", help="Where to add it.")] = None,
    authority: Annotated[Path | None, typer.Option(help="A PEM file of the authorities to trust.")] = None,
    address: Annotated[str | None, typer.Option(help="Where to connect, instead of asking DNS.")] = None,
    within: Annotated[float, typer.Option(help="Seconds until the site must answer.")] = smoke.WITHIN,
) -> None:
    """Bring a stack up and visit its site; exit code 1, and the way back in the summary, when either fails."""
    if digest:
        engine.pulumi("config", "set", "--stack", stack, "--path", "image.digest", digest)
    version = settings.read(stack).settings.image.tag
    previous = engine.outputs(stack).get("image")
    try:
        engine.watched("up", "--yes", "--stack", stack, "--non-interactive", "--color", "never")
        now = engine.outputs(stack)
        visit = smoke.Visit(url=now["url"], version=version, authority=authority, address=address)
        smoke.check(visit, within=within)
    except OpsError as error:
        told = failure(stack=stack, reason=str(error), previous=previous)
        _add(summary, told)
        raise OpsError("\n".join(told)) from error
    told = success(stack=stack, url=now["url"], image=now["image"], previous=previous)
    _add(summary, told)
    print("\n".join(told))


def failure(*, stack: str, reason: str, previous: str | None) -> list[str]:
    """Say in Markdown that a deployment failed, and how to come back; `previous` is the image of before."""
    back = smoke.way_back(stack=stack, image=previous)
    told = [f"## {code(stack)} was not deployed well", "", *block(reason), ""]
    if not back:
        return [
            *told,
            "Nothing ran before, so there is nothing to go back to: mend the program and deploy again.",
        ]
    return [
        *told,
        f"**The way back** is the image that ran before, {code(str(previous))}, without a build:",
        "",
        *block("\n".join(back)),
        "",
        f"Or run the workflow `deploy` by hand with that digest. Take it off again, once the program is mended, with "
        f"{code(f'pulumi config rm --stack {stack} --path image.digest')}.",
    ]


def success(*, stack: str, url: str, image: str, previous: str | None) -> list[str]:
    """Say in Markdown what runs now, and what ran before."""
    return [
        f"## {code(stack)} is deployed",
        "",
        f"- {url} answers, its certificate verified",
        f"- it runs {code(image)}",
        *([f"- before it ran {code(previous)}"] if previous and previous != image else []),
    ]


def _add(summary: Path | None, told: list[str]) -> None:
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write("\n".join(told) + "\n")
