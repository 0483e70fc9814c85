"""Preview stacks and comment on the pull request: irreversible changes first, secrets masked."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ops import command, pulumi
from ops.command import OpsError

LIMIT = 65_536
"""GitHub's limit for the body of a comment or an issue, in characters; here it is applied to bytes, which are more."""

SECRET = "[secret]"  # noqa: S105  # what the engine prints for a secret
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine prints for a value known only after `up` (`UnknownStringValue` in its SDKs)."""

Step = Mapping[str, Any]
"""A step in the output of `pulumi preview --json`."""

_TITLES = {
    "delete": "Deleted",
    "replace": "Replaced",
    "discard": "Dropped from the state, not deleted",
    "update": "Updated",
    "import": "Imported",
    "create": "Created",
}
"""Titles of the actions, the most dangerous first."""

_ACTIONS = {
    **dict.fromkeys(("same", "refresh", "read", "remove-pending-replace"), ""),
    **dict.fromkeys(("create-replacement", "delete-replaced", "import-replacement", "read-replacement"), "replace"),
    "discard-replaced": "discard",
}
"""The engine's other operations (pkg/resource/deploy, step.go) and their actions; empty where nothing is done."""

_PATH = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\.?([^.\[\]]+)')
_VALUE = 160
"""Characters shown of a value: enough for an image with registry, repository and digest."""
_BEFORE = 30
"""Characters shown before the first difference between two long values."""


def run(
    *,
    stack: Annotated[list[str], typer.Option(help="The stack; repeat the option for more stacks.")],
    pull: Annotated[int, typer.Option(help="The pull request to comment on; by default only print.")] = 0,
    revision: Annotated[str, typer.Option(help="The previewed commit.")] = "",
) -> None:
    """Preview stacks and write one comment. Exit 1 when a preview failed; the comment then has the error."""
    comments = [comment(each, revision=revision) for each in stack]
    # Each stack gets an equal share of the comment.
    text = "\n".join(fitted(blocks, limit=LIMIT // len(stack) - 1) for blocks, _ in comments)
    print(text, end="")
    if pull:
        edit = ("--edit-last", "--create-if-none", "--body-file", "-")
        print(command.run("gh", "pr", "comment", str(pull), *edit, stdin=text))
    if any(failed for _, failed in comments):
        raise typer.Exit(1)


def comment(stack: str, *, revision: str = "") -> tuple[list[list[str]], bool]:
    """Preview a stack; return its part of the comment as blocks of lines, and whether the preview failed."""
    try:
        report, errors = planned(stack)
    except (OpsError, ValueError) as error:
        report, errors = {}, [str(error)]
    return rendered(report, stack=stack, errors=errors, revision=revision), bool(errors)


def planned(stack: str) -> tuple[dict[str, Any], list[str]]:
    """Run a preview; return its JSON, and its errors: none if it succeeded. Raise OpsError without a pulumi."""
    done = pulumi.ended("preview", "--json", "--stack", stack)
    report = json.loads(done.stdout) if done.stdout.strip() else {}
    return report, messages(report, "error") or ([pulumi.said(done.stderr)] if done.returncode else [])


def rendered(report: Mapping[str, Any], *, stack: str, errors: list[str], revision: str = "") -> list[list[str]]:
    """Return the engine's report, and its errors if it failed, as blocks of Markdown lines."""
    found: dict[str, dict[str, Step]] = {}
    for step in report.get("steps") or ():
        state = step.get("newState") or step.get("oldState") or {}
        action = _ACTIONS.get(step["op"], step["op"])
        if state.get("custom") and action:
            found.setdefault(action, {}).setdefault(step["urn"], step)
    # Unknown operations of a newer engine come first: they may be dangerous.
    actions = [*sorted(found.keys() - _TITLES.keys()), *(each for each in _TITLES if each in found)]
    counted = ", ".join(f"{len(found[each])} {_title(each).split(',')[0].lower()}" for each in actions)
    at = f" at {code(revision[:12])}" if revision else ""
    blocks = [[f"## Preview of {code(stack)}{at}: {'failed' if errors else counted or 'no changes'}"]]
    if errors:
        blocks += [["> [!CAUTION]", "> **The preview failed: nothing can be deployed as it is.**"]]
        blocks += [block(error) for error in errors]
        blocks += [["The list below is incomplete: the preview stopped at the error."]] if actions else []
    loud = [each for action in ("delete", "replace") for each in found.get(action, {}).values()]
    if loud:
        lost = [each for each in loud if (_state(each, "oldState").get("inputs") or {}).get("forceDestroy") is True]
        with_all = f" With everything in it: {', '.join(map(_name, lost))}." if lost else ""
        blocks += [["> [!CAUTION]", f"> Deleted or replaced: {', '.join(map(_name, loud))}.{with_all}"]]
    blocks += [["**The cluster's plan**", "", *block(each)] for each in messages(report, "info", of=_OF_CLUSTER)]
    blocks += [["**Warning**", "", *block(each)] for each in messages(report, "warning")]
    for action in actions:
        steps = sorted(found[action].values(), key=lambda step: str(step["urn"]))
        blocks += [[f"### {_title(action)} ({len(steps)})"], *(list(_described(action, step)) for step in steps)]
    return blocks


_OF_CLUSTER = re.compile(r"[:$]ejemplo-django:infra:\w*Cluster(::|\$)")
"""Matches the URN of a cluster's driver, which logs its plan: a component whose type ends in `Cluster`, or a child."""


def messages(report: Mapping[str, Any], severity: str, *, of: re.Pattern[str] | None = None) -> list[str]:
    """Return the engine's messages of a severity, without repeats; with `of`, only those whose URN it matches."""
    said = [
        pulumi.said(each.get("message", ""))
        for each in report.get("diagnostics") or ()
        if each.get("severity", "").startswith(severity) and (of is None or of.search(each.get("urn", "")))
    ]
    return [each for each in dict.fromkeys(said) if each]


def code(text: str) -> str:
    """Return a text as a one-line code span, in which Markdown, HTML and mentions have no effect."""
    plain = "".join(each if each.isprintable() else " " for each in text) or " "
    fence = "`" * (_longest_run(plain) + 1)
    # Markdown strips one space from both ends of a span: here it separates backticks from the fence.
    space = " " if plain.startswith(("`", " ")) or plain.endswith(("`", " ")) else ""
    return f"{fence}{space}{plain}{space}{fence}"


def block(text: str, *, limit: int = 8_000) -> list[str]:
    """Return a text as the lines of a fenced block; a text over `limit` characters is cut there."""
    if len(text) > limit:
        text = f"{text[:limit]}\n… and {len(text) - limit} more characters"
    plain = ["".join(each if each.isprintable() else " " for each in line) for line in text.splitlines()]
    fence = "`" * max(3, _longest_run(text) + 1)
    return [f"{fence}text", *plain, fence]


def fitted(blocks: list[list[str]], *, limit: int = LIMIT) -> str:
    """Join blocks of lines with empty lines between them, up to `limit` bytes. A block is never cut."""
    text = ""
    for at, lines in enumerate(blocks):
        left = sum(len(each) for each in blocks[at:])
        end = f"**Cut off here:** GitHub's limit is reached. `pulumi preview --diff` shows the {left} lines left out.\n"
        more = "\n".join(lines) + "\n"
        room = limit - (0 if at == len(blocks) - 1 else len(end.encode()) + 1)
        if len((text + more).encode()) + 1 > room:
            return f"{text}\n{end}"
        text += ("\n" if text else "") + more
    return text


def _title(action: str) -> str:
    return _TITLES.get(action) or code(action)


def _state(step: Step, which: str) -> Mapping[str, Any]:
    return step.get(which) or {}


def _name(step: Step) -> str:
    return code(str(step["urn"]).rsplit("::", 1)[1])


def _described(action: str, step: Step) -> Iterator[str]:
    """Yield a resource as lines of Markdown: its name, its type, and its changes."""
    kind = str((_state(step, "newState") or _state(step, "oldState"))["type"])
    yield f"- {_name(step)} ({code(kind)})"
    if action not in ("create", "delete"):
        # Some providers report only the names of the properties that differ.
        named = {*(step.get("diffReasons") or ()), *(step.get("replaceReasons") or ())}
        detailed = step.get("detailedDiff") or {path: {"kind": "update", "inputDiff": True} for path in named}
        # Names with two leading underscores are Pulumi's own, such as a dynamic provider's code.
        yield from (f"  - {_change(path, step, detailed[path])}" for path in sorted(detailed) if path[:2] != "__")


def _change(path: str, step: Step, diff: Mapping[str, Any]) -> str:
    old, new = _state(step, "oldState"), _state(step, "newState")
    sides = ("inputs", "outputs") if diff.get("inputDiff") else ("outputs",)
    left = _first(path, *(old.get(each) for each in sides))
    right = _first(path, new.get("inputs"), new.get("outputs"))
    kind = str(diff.get("kind", "update"))
    replaces = kind.endswith("-replace") or path in (step.get("replaceReasons") or ())
    named, why = code(_readable(path, new.get("inputs"), old.get("inputs"))), " **(replaces it)**" if replaces else ""
    # Mask both sides when one is secret: a value stays secret after its mark is removed.
    if SECRET in (left, right):
        return f"{named}: {code(SECRET)} changes{why}"
    before, after = _shown(left, beside=right), _shown(right, beside=left)
    if right is None or kind.startswith("delete"):
        return f"{named} removed{why}" if left is None else f"{named}: {code(before)} removed{why}"
    if left is None or kind.startswith("add"):
        return f"{named}: added {code(after)}{why}"
    return (
        f"{named}: {code(before)} → {code(after)}{why}" if before != after else f"{named}: {code(before)} changes{why}"
    )


def _steps(path: str) -> list[str | int]:
    """Split a path of the engine's, such as `spec.ports[0].name` or `tags["a.b"]`, into its steps."""
    found = _PATH.findall(path)
    return [int(at) if at else re.sub(r"\\(.)", r"\1", quoted) if quoted else name for at, quoted, name in found]


def _find(properties: Any, steps: list[str | int]) -> Any:
    """Return the value at a path: SECRET or UNKNOWN when a value above it is, None when there is none."""
    value = properties
    for step in steps:
        if value in (SECRET, UNKNOWN):
            return value
        try:
            value = value[step]
        except (IndexError, KeyError, TypeError):
            return None
    return value


def _first(path: str, *states: Any) -> Any:
    return next((found for state in states if (found := _find(state, _steps(path))) is not None), None)


def _readable(path: str, *states: Any) -> str:
    """Replace indexes by the elements' names: `env[3].value` becomes `env[VERSION].value` if a state has the name."""
    named, steps = "", _steps(path)
    for at, step in enumerate(steps, 1):
        if isinstance(step, int):
            names = [_find(state, [*steps[:at], "name"]) for state in states]
            named += f"[{next((each for each in names if each not in (None, SECRET, UNKNOWN)), step)}]"
        else:
            named += f".{step}" if re.fullmatch(r"[\w$-]+", step) else f"[{json.dumps(step, ensure_ascii=False)}]"
    return named.removeprefix(".")


def _text(value: Any) -> str:
    """Return a value as JSON on one line; unprintable characters, such as direction marks, are escaped."""
    written = json.dumps(value, ensure_ascii=False).replace(f'"{UNKNOWN}"', "known after up")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in written)


def _shown(value: Any, *, beside: Any) -> str:
    """Return at most _VALUE characters of a value; of a longer one, the part that differs from `beside`."""
    written, other = _text(value), _text(beside)
    if len(written) <= _VALUE:
        return written
    same = next((at for at, each in enumerate(written) if other[at : at + 1] != each), len(written))
    start = max(0, min(same - _BEFORE, len(written) - _VALUE))
    cut = written[start : start + _VALUE]
    return f"{'…' if start else ''}{cut}{'…' if start + _VALUE < len(written) else ''}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
