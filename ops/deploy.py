"""`pulumi up` with a visit to the site behind it, and a summary that names the way back.

The way back is the last image whose visit passed, which need not be the one that ran before: two bad deployments may
follow each other. Its digest is a tag of the stack, which every backend keeps beside the state. So is the digest of an
image that the stack was told to go back to: deployments keep to it until one is told to build again.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from ops import check_site, pulumi
from ops.check_site import Visit
from ops.command import OpsError

VISITED = "ejemplo-django:visited"
"""The stack's tag with the digest of the last image whose visit passed."""

HELD = "ejemplo-django:held"
"""The stack's tag with the digest that deployments keep to."""

BUILD = "build"
"""Given in the place of a digest: build again."""


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    digest: Annotated[
        str, typer.Option(help=f"Run this image, sha256:..., now and in later deployments; `{BUILD}` ends that.")
    ] = "",
    expect_version: Annotated[
        bool, typer.Option(help="The page must show image.tag, or the first 12 characters of the digest.")
    ] = False,
    summary: Annotated[Path | None, typer.Option(envvar="GITHUB_STEP_SUMMARY", help="Where to add it.")] = None,
    authority: check_site.Authority = None,
    address: check_site.Address = None,
    within: check_site.Within = check_site.WITHIN,
) -> None:
    """Bring a stack up and visit its site; exit code 1, and the way back, when either fails."""
    known = tags(stack)
    held = _held(stack, digest, known)
    good = known.get(VISITED) or _answering(stack, authority=authority, address=address)
    try:
        pulumi.watched("up", "--yes", "--stack", stack, "--non-interactive", "--color", "never")
        now = pulumi.deployed(stack)
        expect = _version(stack) if expect_version else ""
        check_site.check(Visit(url=now["url"], expect=expect, authority=authority, address=address), within=within)
    except OpsError as error:
        todo = way_back(stack, good)
        _add(summary, [f"## `{stack}` was not deployed well", *_block(str(error)), *_block(todo)])
        raise OpsError(f"{stack} was not deployed well.", str(error), todo) from error
    _record(stack, now["image"])
    told = [f"## `{stack}` is deployed", f"- {now['url']} answers, its certificate verified", f"- image {now['image']}"]
    if held:
        told.append(f"- held at this image, nothing was built: `--digest {BUILD}` builds again")
    if good and not now["image"].endswith(good):
        told.append(f"- before: {good}")
    _add(summary, told)
    print("\n".join(told))


def tags(stack: str) -> dict[str, str]:
    """The stack's tags. Raises OpsError as `pulumi.run` does."""
    return dict(json.loads(pulumi.run("stack", "tag", "ls", "--json", "--stack", stack)))


def way_back(stack: str, digest: str) -> str:
    """What to type to run an image again that was well; `digest` is empty where there is none."""
    if not digest:
        return "No image before it passed the visit, so there is nothing to go back to: fix the program."
    return (
        f"To go back to the last image that passed the visit, without a build:\n"
        f"python -m ops deploy --stack {stack} --digest {digest}"
    )


def _held(stack: str, digest: str, known: dict[str, str]) -> str:
    """Remember the digest to keep to, and set it for this deployment; empty for none."""
    if digest == BUILD:
        if HELD in known:
            pulumi.run("stack", "tag", "rm", HELD, "--stack", stack)
            # In a fresh checkout it is not set, which is as well.
            pulumi.ended("config", "rm", "--stack", stack, "--path", "image.digest")
        return ""
    held = digest or known.get(HELD, "")
    if held and not re.fullmatch(r"sha256:[0-9a-f]{64}", held):
        raise OpsError(
            f"{stack} was not deployed.",
            f"--digest: found {held!r}, expected sha256: and 64 hexadecimal digits, or {BUILD}.",
            f"Take the digest at the end of an output `image`: pulumi stack output image --stack {stack}",
        )
    if held:
        pulumi.run("config", "set", "--stack", stack, "--path", "image.digest", held)
        pulumi.run("stack", "tag", "set", HELD, held, "--stack", stack)
    return held


def _version(stack: str) -> str:
    image = pulumi.settings(stack).get("image") or {}
    return str(image["digest"].removeprefix("sha256:")[:12] if image.get("digest") else image.get("tag", ""))


def _answering(stack: str, *, authority: Path | None, address: str | None) -> str:
    """The digest of what runs, if the site answers well: it was deployed by a plain `up`, which visits nothing."""
    now = pulumi.outputs(stack)
    if "image" not in now:
        return ""
    try:
        check_site.check(Visit(url=now["url"], authority=authority, address=address), within=0)
    except OpsError as error:
        print(f"No way back is known: no deployment was visited yet, and what runs is not well.\n{error}")
        return ""
    return _record(stack, now["image"])


def _record(stack: str, image: str) -> str:
    digest = image.partition("@")[2]
    pulumi.run("stack", "tag", "set", VISITED, digest, "--stack", stack)
    return digest


def _block(text: str) -> list[str]:
    """Text of others in Markdown: indented, so that it is nothing but text."""
    return ["", *(f"    {line}" for line in text.splitlines()), ""]


def _add(summary: Path | None, told: list[str]) -> None:
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write("\n".join(told) + "\n")
