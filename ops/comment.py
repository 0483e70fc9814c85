"""The comment that a pull request gets: the plan in Markdown, what cannot be undone first."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ops import cost, engine, plan
from ops.markdown import block, code, fitted, quoted
from ops.plan import Change, Plan, Resource

_SECTIONS = {
    "delete": "Deleted",
    "replace": "Replaced",
    "forget": "Dropped from the state, and left where it is",
    "update": "Updated",
    "import": "Imported",
    "create": "Created",
}
"""Every action that is something, in the order of what it can break."""

_LOUD = ("delete", "replace")
_NAMED = 10
"""How many resources the warning names; all of them follow beneath it."""

_END = (
    "**Cut off here:** GitHub takes no longer text; {left} more lines are left out. `pulumi preview --diff` shows all."
)


def marker(stack: str) -> str:
    """The first line of the comment, invisible, by which it is found again to be edited."""
    return f"<!-- ejemplo-django: preview of {stack} -->"


def render(planned: Plan, prices: cost.Table, *, revision: str | None = None) -> str:
    """Write the comment; `revision` is the commit that was previewed."""
    blocks = [[marker(planned.stack)], [_heading(planned, revision)]]
    if planned.errors:
        blocks.append(quoted(["**The preview failed: nothing can be deployed as it is.**"], kind="CAUTION"))
        blocks += [block(error) for error in planned.errors]
        if any(planned.of(action) for action in _SECTIONS):
            blocks.append(["What follows is as far as the plan had come by then; it is not all."])
    blocks += _alarm(planned)
    blocks.append(_cost(planned, prices))
    blocks += [["**The cluster's plan**", "", *block(said)] for said in planned.cluster]
    blocks += [["**Warning**", "", *block(warning)] for warning in planned.warnings]
    for action, title in _SECTIONS.items():
        blocks += _section(title, planned.of(action))
    return fitted([each for each in blocks if each], end=_END)


def run(
    *,
    stack: Annotated[str, typer.Option(help="The stack.")],
    saved: Annotated[
        Path | None, typer.Option("--json", help="What pulumi printed; it is run when this is not given.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Where to write it; standard output if not given.")] = None,
    revision: Annotated[str | None, typer.Option(help="The commit that is previewed.")] = None,
) -> None:
    """Preview a stack and write the comment; exit code 1 when the preview failed, which the comment then says."""
    printed, said = (saved.read_text(), "") if saved else engine.as_json("preview", "--show-sames", stack=stack)
    planned = plan.read(printed, stack=stack, said=said)
    text = render(planned, cost.table(), revision=revision)
    if output:
        output.write_text(text)
    else:
        print(text, end="")
    if planned.errors:
        raise typer.Exit(1)


def kind(resource: Resource) -> str:
    """Name a type as one says it: `aws route53 Record`, `kubernetes Deployment`, `RandomKey`."""
    package, module, name = resource.type.split(":", 2)
    if package == "pulumi":
        return f"{name} provider"
    service = [module.split("/")[0]] if package == "aws" else []
    return " ".join([*([] if package == "pulumi-python" else [package]), *service, name])


def described(resource: Resource) -> list[str]:
    """One resource in lines of Markdown: its name, and what of it changes."""
    fate = ", with all that is in it" if _emptied(resource) else ""
    return [
        f"- {code(resource.name)} ({code(kind(resource))}){fate}",
        *(f"  - {_change(each)}" for each in resource.changes),
    ]


def _heading(planned: Plan, revision: str | None) -> str:
    counted = [(title, len(planned.of(action))) for action, title in _SECTIONS.items()]
    changes = ", ".join(f"{count} {title.split(',')[0].lower()}" for title, count in counted if count)
    what = "failed" if planned.errors else changes or "no changes"
    at = f" at {code(revision[:12])}" if revision else ""
    return f"## Preview of {code(planned.stack)}{at}: {what}"


def _alarm(planned: Plan) -> list[list[str]]:
    lines = []
    for action in _LOUD:
        found = planned.of(action)
        if found:
            named = ", ".join(code(each.name) for each in found[:_NAMED])
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            lines.append(f"**{_SECTIONS[action]}:** {named}{more}")
    emptied = [each for action in _LOUD for each in planned.of(action) if _emptied(each)]
    if emptied:
        lines.append(f"**What is in them is lost:** {', '.join(code(each.name) for each in emptied)}")
    return [quoted([each for line in lines for each in (line, "")][:-1], kind="CAUTION")] if lines else []


def _emptied(resource: Resource) -> bool:
    return resource.action in _LOUD and (resource.before or {}).get("forceDestroy") is True


def _cost(planned: Plan, prices: cost.Table) -> list[str]:
    if planned.errors:
        return []
    old, new = cost.before(planned.resources, prices), cost.after(planned.resources, prices)
    if planned.complete:
        said = f"**Cost:** {old.monthly:.2f} USD a month now, {new.monthly:.2f} USD after"
    else:
        said = f"**Cost:** {new.monthly - old.monthly:+.2f} USD a month (what stays as it is was not listed)"
    items = new.items or old.items
    listed = ", ".join(f"{count} [{price.what}]({price.source})" for price, count in items)
    said += f" ({listed}; prices of {prices.date} in {prices.region})." if items else "."
    said += " Machines, traffic, requests and storage come on top."
    if planned.region not in (None, prices.region):
        said += f" The stack is in {code(str(planned.region))}, where prices differ."
    unknown = old.unknown | new.unknown
    if unknown:
        said += f" Without a price in the table: {', '.join(code(each) for each in sorted(unknown))}."
    return [said]


def _section(title: str, resources: list[Resource]) -> list[list[str]]:
    if not resources:
        return []
    groups: dict[str, list[Resource]] = {}
    for each in resources:
        groups.setdefault(each.component, []).append(each)
    parts = [
        [f"In {code(component)}:" if component else "In the stack itself:", "", *_all(inside)]
        for component, inside in groups.items()
    ]
    return [[f"### {title} ({len(resources)})"], *parts]


def _all(resources: Iterable[Resource]) -> list[str]:
    return [line for each in resources for line in described(each)]


def _change(change: Change) -> str:
    why = " **(replaces it)**" if change.replaces else ""
    if change.old is None and change.new is None:
        return f"{code(change.path)} changes{why}"
    if change.old is None:
        return f"{code(change.path)}: added {code(str(change.new))}{why}"
    if change.new is None:
        return f"{code(change.path)}: {code(change.old)} removed{why}"
    if change.old == change.new:
        return f"{code(change.path)}: {code(change.old)} changes{why}"
    return f"{code(change.path)}: {code(change.old)} → {code(change.new)}{why}"
