"""What a pull request would do to its stacks, as one comment on it: what cannot be undone first, secrets masked."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from ops import command, pulumi
from ops.command import OpsError

LIMIT = 65_536
"""What GitHub takes as the body of a comment or an issue. It counts characters; here bytes are, which are more."""

SECRET = "[secret]"  # noqa: S105  # the word the engine writes instead of a secret
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine writes for a value that only an `up` will know (its SDKs' `UnknownStringValue`)."""

Step = Mapping[str, Any]
"""A step of the engine's, as `pulumi preview --json` has it."""

_TITLES = {
    "delete": "Deleted",
    "replace": "Replaced",
    "discard": "Dropped from the state, and left where it is",
    "update": "Updated",
    "import": "Imported",
    "create": "Created",
}
"""What is done to a resource, in the order of what it can break."""

_ACTIONS = {
    **dict.fromkeys(("same", "refresh", "read", "remove-pending-replace"), ""),
    **dict.fromkeys(("create-replacement", "delete-replaced", "import-replacement", "read-replacement"), "replace"),
    "discard-replaced": "discard",
}
"""The engine's other operations (pkg/resource/deploy, step.go) by what they mean; empty where nothing is done."""

_PATH = re.compile(r'\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\.?([^.\[\]]+)')
_VALUE = 160
"""Characters of one value: an image with registry, repository and digest is read whole."""
_BEFORE = 30
"""Characters that are shown ahead of the first difference between two long values."""


def run(
    *,
    stack: Annotated[list[str], typer.Option(help="The stack; more than one may be given.")],
    pull: Annotated[int, typer.Option(help="The pull request to comment on; without it the comment is printed.")] = 0,
    revision: Annotated[str, typer.Option(help="The commit that is previewed.")] = "",
) -> None:
    """Preview stacks and write one comment; exit code 1 when a preview failed, which the comment then says."""
    comments = [comment(each, revision=revision) for each in stack]
    # A stack's comment ends by itself where it has no more room.
    text = "\n".join(fitted(blocks, limit=LIMIT // len(stack) - 1) for blocks, _ in comments)
    print(text, end="")
    if pull:
        edit = ("--edit-last", "--create-if-none", "--body-file", "-")
        print(command.run("gh", "pr", "comment", str(pull), *edit, stdin=text))
    if any(failed for _, failed in comments):
        raise typer.Exit(1)


def comment(stack: str, *, revision: str = "") -> tuple[list[list[str]], bool]:
    """Preview a stack; the comment in blocks of lines, and whether the preview failed."""
    try:
        done = pulumi.ended("preview", "--json", "--stack", stack)
        report = json.loads(done.stdout) if done.stdout.strip() else {}
        errors = messages(report, "error") or ([pulumi.said(done.stderr)] if done.returncode else [])
    except (OpsError, ValueError) as error:
        report, errors = {}, [str(error)]
    return rendered(report, stack=stack, errors=errors, revision=revision), bool(errors)


def rendered(report: Mapping[str, Any], *, stack: str, errors: list[str], revision: str = "") -> list[list[str]]:
    """Write what the engine reports, and why it failed if it did, in blocks of lines of Markdown."""
    found: dict[str, dict[str, Step]] = {}
    for step in report.get("steps") or ():
        state = step.get("newState") or step.get("oldState") or {}
        action = _ACTIONS.get(step["op"], step["op"])
        if state.get("custom") and action:
            found.setdefault(action, {}).setdefault(step["urn"], step)
    # What a newer engine calls otherwise comes first: nobody here knows what it breaks.
    actions = [*sorted(found.keys() - _TITLES.keys()), *(each for each in _TITLES if each in found)]
    counted = ", ".join(f"{len(found[each])} {_title(each).split(',')[0].lower()}" for each in actions)
    at = f" at {code(revision[:12])}" if revision else ""
    blocks = [[f"## Preview of {code(stack)}{at}: {'failed' if errors else counted or 'no changes'}"]]
    if errors:
        blocks += [["> [!CAUTION]", "> **The preview failed: nothing can be deployed as it is.**"]]
        blocks += [block(error) for error in errors]
        blocks += [["What follows is as far as the preview came; it is not all."]] if actions else []
    loud = [each for action in ("delete", "replace") for each in found.get(action, {}).values()]
    if loud:
        lost = [each for each in loud if (_state(each, "oldState").get("inputs") or {}).get("forceDestroy") is True]
        with_all = f" With all that is in it: {', '.join(map(_name, lost))}." if lost else ""
        blocks += [["> [!CAUTION]", f"> Deleted or replaced: {', '.join(map(_name, loud))}.{with_all}"]]
    blocks += [["**The cluster's plan**", "", *block(each)] for each in messages(report, "info", of=_OF_CLUSTER)]
    blocks += [["**Warning**", "", *block(each)] for each in messages(report, "warning")]
    for action in actions:
        steps = sorted(found[action].values(), key=lambda step: str(step["urn"]))
        blocks += [[f"### {_title(action)} ({len(steps)})"], *(list(_described(action, step)) for step in steps)]
    return blocks


_OF_CLUSTER = re.compile(r"[:$]ejemplo-django:infra:\w*Cluster(::|\$)")
"""Of what a cluster's driver logs what it would do: a component whose type ends in `Cluster`, or a part of it."""


def messages(report: Mapping[str, Any], severity: str, *, of: re.Pattern[str] | None = None) -> list[str]:
    """The engine's messages of a severity, each once; with `of`, those on resources whose URN it finds."""
    said = [
        pulumi.said(each.get("message", ""))
        for each in report.get("diagnostics") or ()
        if each.get("severity", "").startswith(severity) and (of is None or of.search(each.get("urn", "")))
    ]
    return [each for each in dict.fromkeys(said) if each]


def code(text: str) -> str:
    """Put a text on one line into a code span, where neither Markdown, HTML nor a mention means anything."""
    plain = "".join(each if each.isprintable() else " " for each in text) or " "
    fence = "`" * (_longest_run(plain) + 1)
    # A space is taken off at both ends when a span has one at both: it parts backticks from the fence.
    space = " " if plain.startswith(("`", " ")) or plain.endswith(("`", " ")) else ""
    return f"{fence}{space}{plain}{space}{fence}"


def block(text: str, *, limit: int = 8_000) -> list[str]:
    """Put lines into a fenced block, as lines of Markdown; of a longer text the first `limit` characters."""
    if len(text) > limit:
        text = f"{text[:limit]}\n… and {len(text) - limit} more characters"
    plain = ["".join(each if each.isprintable() else " " for each in line) for line in text.splitlines()]
    fence = "`" * max(3, _longest_run(text) + 1)
    return [f"{fence}text", *plain, fence]


def fitted(blocks: list[list[str]], *, limit: int = LIMIT) -> str:
    """Join blocks of lines, an empty line between two, up to `limit` bytes; a block is kept whole or left out."""
    text = ""
    for at, lines in enumerate(blocks):
        left = sum(len(each) for each in blocks[at:])
        end = (
            f"**Cut off here:** GitHub takes no longer text. `pulumi preview --diff` shows the {left} lines left out.\n"
        )
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
    """One resource in lines of Markdown: its name, its type, and what of it changes."""
    kind = str((_state(step, "newState") or _state(step, "oldState"))["type"])
    yield f"- {_name(step)} ({code(kind)})"
    if action not in ("create", "delete"):
        # A provider that says no more than which properties differ gives only their names.
        named = {*(step.get("diffReasons") or ()), *(step.get("replaceReasons") or ())}
        detailed = step.get("detailedDiff") or {path: {"kind": "update", "inputDiff": True} for path in named}
        # Those that begin with two underscores are Pulumi's own, such as the code of a dynamic provider.
        yield from (f"  - {_change(path, step, detailed[path])}" for path in sorted(detailed) if path[:2] != "__")


def _change(path: str, step: Step, diff: Mapping[str, Any]) -> str:
    old, new = _state(step, "oldState"), _state(step, "newState")
    sides = ("inputs", "outputs") if diff.get("inputDiff") else ("outputs",)
    left = _first(path, *(old.get(each) for each in sides))
    right = _first(path, new.get("inputs"), new.get("outputs"))
    kind = str(diff.get("kind", "update"))
    replaces = kind.endswith("-replace") or path in (step.get("replaceReasons") or ())
    named, why = code(_readable(path, new.get("inputs"), old.get("inputs"))), " **(replaces it)**" if replaces else ""
    # A secret on one side is a secret on the other: what was one must not show for being one no longer.
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
    """Take a path such as `spec.ports[0].name` or `tags["a.b"]` apart, as the engine writes them."""
    found = _PATH.findall(path)
    return [int(at) if at else re.sub(r"\\(.)", r"\1", quoted) if quoted else name for at, quoted, name in found]


def _find(properties: Any, steps: list[str | int]) -> Any:
    """Follow a path; a value inside a secret is SECRET, and None is what is not there."""
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
    """Name the elements of lists: `env[3].value` is `env[VERSION].value` when one of the states says so."""
    named, steps = "", _steps(path)
    for at, step in enumerate(steps, 1):
        if isinstance(step, int):
            names = [_find(state, [*steps[:at], "name"]) for state in states]
            named += f"[{next((each for each in names if each not in (None, SECRET, UNKNOWN)), step)}]"
        else:
            named += f".{step}" if re.fullmatch(r"[\w$-]+", step) else f"[{json.dumps(step, ensure_ascii=False)}]"
    return named.removeprefix(".")


def _text(value: Any) -> str:
    """Write a value on one line, as JSON; what cannot be printed, such as a turn of direction, as its number."""
    written = json.dumps(value, ensure_ascii=False).replace(f'"{UNKNOWN}"', "known after up")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in written)


def _shown(value: Any, *, beside: Any) -> str:
    """Write a value within _VALUE characters; of a long one the part that differs from the one `beside` it."""
    written, other = _text(value), _text(beside)
    if len(written) <= _VALUE:
        return written
    same = next((at for at, each in enumerate(written) if other[at : at + 1] != each), len(written))
    start = max(0, min(same - _BEFORE, len(written) - _VALUE))
    cut = written[start : start + _VALUE]
    return f"{'…' if start else ''}{cut}{'…' if start + _VALUE < len(written) else ''}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
