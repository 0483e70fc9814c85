"""Run `pulumi up`, visit the site, and write a summary that names the image to roll back to.

A rollback goes to the last image whose visit passed. That need not be the previous one: two bad deployments may follow
each other. Its digest is a tag of the stack, which every backend stores beside the state. So is the digest of a
rollback: later deployments keep that image until one is told to build again.
"""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from ops import aws, check_site, pulumi, recover
from ops.check_site import Visit
from ops.command import OpsError

VISITED = "ejemplo-django:visited"
"""The stack's tag with the digest of the last image whose visit passed."""

HELD = "ejemplo-django:held"
"""The stack's tag with the digest that deployments keep."""

BUILD = "build"
"""The value for `--digest` that ends a rollback: build again."""


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    digest: Annotated[
        str, typer.Option(help=f"Deploy this image, sha256:..., now and in later deployments; `{BUILD}` ends that.")
    ] = "",
    summary: Annotated[Path | None, typer.Option(envvar="GITHUB_STEP_SUMMARY", help="File to append it to.")] = None,
    authority: check_site.Authority = None,
    address: check_site.Address = None,
    within: check_site.Within = check_site.WITHIN,
) -> None:
    """Deploy a stack and visit its site. When either fails, print how to roll back; the exit code is 1."""
    aws.same_account(recover.settled(stack), pulumi.settings(stack))
    known = tags(stack)
    held = _digest_to_keep(stack, digest, known)
    good = known.get(VISITED) or _running(stack, authority=authority, address=address)
    try:
        # The refresh finds what was deleted or changed by hand; `up` restores it.
        pulumi.watched("up", "--yes", "--refresh", "--stack", stack, "--non-interactive", "--color", "never")
        now = pulumi.deployed(stack)
        check_site.check(Visit(url=now["url"], authority=authority, address=address), within=within)
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
    """Return the stack's tags. Raises OpsError as `pulumi.run` does."""
    return dict(json.loads(pulumi.run("stack", "tag", "ls", "--json", "--stack", stack)))


def way_back(stack: str, digest: str) -> str:
    """Return the command that rolls back to the image `digest`, or a hint when `digest` is empty."""
    if not digest:
        return "No earlier image passed the visit, so there is no rollback: fix the program and deploy again."
    return (
        f"To roll back to the last image that passed the visit, without a build:\n"
        f".venv/bin/python -m ops deploy --stack {stack} --digest {digest}"
    )


def _digest_to_keep(stack: str, digest: str, known: dict[str, str]) -> str:
    """Store the digest to keep, set it for this deployment, and return it; empty for none."""
    if digest == BUILD:
        if HELD in known:
            pulumi.run("stack", "tag", "rm", HELD, "--stack", stack)
            # This fails in a fresh checkout, where the key is not set.
            pulumi.ended("config", "rm", "--stack", stack, "--path", "image.digest")
        return ""
    held = digest or known.get(HELD, "")
    if held and not re.fullmatch(r"sha256:[0-9a-f]{64}", held):
        raise OpsError(
            f"{stack} was not deployed.",
            f"--digest: found {held!r}, expected sha256: and 64 hexadecimal digits, or {BUILD}.",
            f"Use the digest at the end of the output `image`: pulumi stack output image --stack {stack}",
        )
    if held:
        # The program takes one of the two keys. The next checkout has `image.digestFrom` again.
        pulumi.ended("config", "rm", "--stack", stack, "--path", "image.digestFrom")
        pulumi.run("config", "set", "--stack", stack, "--path", "image.digest", held)
        pulumi.run("stack", "tag", "set", HELD, held, "--stack", stack)
    return held


def _running(stack: str, *, authority: Path | None, address: str | None) -> str:
    """Return the digest of the running image if its site answers well, and record it; empty otherwise.

    A plain `pulumi up` deploys without a visit, and so records none.
    """
    now = pulumi.outputs(stack)
    if "image" not in now:
        return ""
    try:
        check_site.check(Visit(url=now["url"], authority=authority, address=address), within=0)
    except OpsError as error:
        print(f"There is no image to roll back to: none passed the visit yet, and the site does not answer.\n{error}")
        return ""
    return _record(stack, now["image"])


def _record(stack: str, image: str) -> str:
    digest = image.partition("@")[2]
    pulumi.run("stack", "tag", "set", VISITED, digest, "--stack", stack)
    return digest


def _block(text: str) -> list[str]:
    """Return text as an indented block, in which Markdown means nothing."""
    return ["", *(f"    {line}" for line in text.splitlines()), ""]


def _add(summary: Path | None, told: list[str]) -> None:
    if summary:
        with summary.open("a", encoding="utf-8") as file:
            file.write("\n".join(told) + "\n")
