"""`pulumi up` with a smoke test behind it, and a summary that names the way back.

The way back is the last image whose visit passed, which need not be the one that ran before: two bad deployments may
follow each other. Its digest is a tag of the stack, which every backend keeps beside the state.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ops import engine, settings, smoke
from ops.errors import OpsError
from ops.markdown import block, code

TAG = "ejemplo-django:visited"
"""The stack's tag with the digest of the last image whose visit passed."""


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    digest: Annotated[
        str, typer.Option(help="Run this image, sha256:..., instead of building; first set as image.digest.")
    ] = "",
    summary: Annotated[Path | None, typer.Option(envvar="GITHUB_STEP_SUMMARY", help="Where to add it.")] = None,
    authority: smoke.Authority = None,
    address: smoke.Address = None,
    within: smoke.Within = smoke.WITHIN,
) -> None:
    """Bring a stack up and visit its site; exit code 1, and the way back in the summary, when either fails."""
    if digest:
        engine.pulumi("config", "set", "--stack", stack, "--path", "image.digest", digest)
    visit = smoke.Visit(
        url="", version=settings.read(stack).settings.image.version, authority=authority, address=address
    )
    good = visited(stack) or _answering(stack, visit)
    try:
        engine.watched("up", "--yes", "--stack", stack, "--non-interactive", "--color", "never")
        now = engine.outputs(stack)
        smoke.check(replace(visit, url=now["url"]), within=within)
    except OpsError as error:
        told = failure(stack=stack, reason=str(error), good=good)
        _add(summary, told)
        raise OpsError("\n".join(told)) from error
    _record(stack, now["image"])
    told = success(stack=stack, url=now["url"], image=now["image"], before=good)
    _add(summary, told)
    print("\n".join(told))


def visited(stack: str) -> str:
    """The digest of the last image whose visit passed; empty before the first. Raises OpsError as `pulumi` does."""
    tags: dict[str, str] = json.loads(engine.pulumi("stack", "tag", "ls", "--json", "--stack", stack))
    return tags.get(TAG, "")


def _answering(stack: str, visit: smoke.Visit) -> str:
    """The digest of what runs, if the site answers well: it was deployed by a plain `up`, which visits nothing."""
    now = engine.outputs(stack)
    if "image" not in now:
        return ""
    try:
        smoke.check(replace(visit, url=now["url"], version=None), within=0)
    except OpsError as error:
        print(f"No way back is known: no deployment was visited yet, and what runs is not well. {error}")
        return ""
    return _record(stack, now["image"])


def _record(stack: str, image: str) -> str:
    digest = image.partition("@")[2]
    engine.pulumi("stack", "tag", "set", TAG, digest, "--stack", stack)
    return digest


def way_back(*, stack: str, digest: str) -> list[str]:
    """What to type to run an image again that was well."""
    return [f"pulumi config set --stack {stack} --path image.digest {digest}", f"pulumi up --stack {stack}"]


def failure(*, stack: str, reason: str, good: str) -> list[str]:
    """Say in Markdown that a deployment failed, and how to come back to the digest that was well; empty for none."""
    told = [f"## {code(stack)} was not deployed well", "", *block(reason), ""]
    if not good:
        return [*told, "No image before it passed the visit, so there is nothing to go back to: mend the program."]
    return [
        *told,
        f"**The way back** is the last image that passed the visit, {code(good)}, without a build:",
        "",
        *block("\n".join(way_back(stack=stack, digest=good))),
        "",
        f"Or run the workflow `deploy` by hand with that digest. Take it off again, once the program is mended, with "
        f"{code(f'pulumi config rm --stack {stack} --path image.digest')}.",
    ]


def success(*, stack: str, url: str, image: str, before: str) -> list[str]:
    """Say in Markdown what runs now, and by its digest what was well before; empty for none."""
    return [
        f"## {code(stack)} is deployed",
        "",
        f"- {url} answers, its certificate verified",
        f"- it runs {code(image)}",
        *([f"- before it ran {code(before)}"] if before and not image.endswith(before) else []),
    ]


def _add(summary: Path | None, told: list[str]) -> None:
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write("\n".join(told) + "\n")
