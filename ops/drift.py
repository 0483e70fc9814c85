"""What was changed behind the program's back, found by `pulumi refresh --preview-only`, and the issue about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ops import engine, plan
from ops.comment import kind
from ops.errors import OpsError
from ops.github import API, BOT, Api, Author, Repository, Token
from ops.markdown import code, fitted
from ops.plan import Plan, Resource

_END = "**Cut off here:** GitHub takes no longer text; {left} more lines are left out."


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """An issue's text, in Markdown."""

    title: str
    body: str


def marker(stack: str) -> str:
    """The first line of the issue, invisible, by which it is found again."""
    return f"<!-- ejemplo-django: drift of {stack} -->"


def issue(found: Plan) -> Issue | None:
    """Write the issue about what drifted; None when nothing did.

    Raises OpsError when the refresh failed: what it did not see is neither as it was nor different.
    """
    if found.errors:
        errors = "\n".join(found.errors)
        raise OpsError(f"The refresh of {found.stack} failed, so nothing is known of its drift: {errors}")
    gone, changed = found.of("delete"), [*found.of("update"), *found.of("replace")]
    if not gone and not changed:
        return None
    blocks = [
        [marker(found.stack)],
        [
            f"What is there differs from what {code(found.stack)} last deployed. `pulumi up` puts it back; what is "
            "to stay belongs into the program. This text is renewed every night, and the issue closed once "
            "nothing differs."
        ],
    ]
    if gone:
        blocks += [["### Gone", "", *(f"- {_named(each)}" for each in gone)]]
    if changed:
        blocks += [["### Changed"], *(_changed(each) for each in changed)]
    count = len(gone) + len(changed)
    resources = "1 resource differs" if count == 1 else f"{count} resources differ"
    return Issue(title=f"Drift in {found.stack}: {resources}", body=fitted(blocks, end=_END))


def settle(repository: Repository, *, stack: str, wanted: Issue | None) -> str:
    """Open, renew or close the issue; says what was done."""
    number = repository.open_issue(marker(stack))
    if wanted is None:
        if number is None:
            return "nothing drifted"
        repository.note(number, "Nothing differs any more.")
        repository.update_issue(number, state="closed")
        return f"closed #{number}"
    if number is None:
        return f"opened #{repository.create_issue(wanted.title, wanted.body)}"
    repository.update_issue(number, title=wanted.title, body=wanted.body)
    return f"updated #{number}"


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    refreshed: Annotated[
        Path | None, typer.Option("--json", help="What pulumi printed; it is run when this is not given.")
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(help="owner/name: where the issue is; it is only shown when this is not given."),
    ] = None,
    token: Token = "",
    api: Api = API,
    author: Author = BOT,
) -> None:
    """Look for drift; write the issue about it, or, with `--repository`, open, renew or close it on GitHub."""
    if refreshed:
        printed, said = refreshed.read_text(), ""
    else:
        # With the program, for the providers' present credentials: those in the state may have run out.
        printed, said = engine.as_json("refresh", "--preview-only", "--run-program", stack=stack)
    wanted = issue(plan.read(printed, stack=stack, said=said))
    if repository:
        print(settle(Repository(name=repository, api=api, token=token, author=author), stack=stack, wanted=wanted))
    else:
        print(f"{wanted.title}\n\n{wanted.body}" if wanted else "nothing drifted")


def _named(resource: Resource) -> str:
    where = f" in {code(resource.component)}" if resource.component else ""
    return f"{code(resource.name)} ({code(kind(resource))}){where}"


def _changed(resource: Resource) -> list[str]:
    differences = [
        f"- {code(each.path)}: deployed {code(each.old or 'nothing')}, found {code(each.new or 'nothing')}"
        for each in resource.changes
    ]
    return [f"{_named(resource)}:", "", *(differences or ["- pulumi does not say in what"])]
