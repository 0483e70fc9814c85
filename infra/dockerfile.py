"""Reads from a Dockerfile what must be known before the build: its stages, and the user of each one's image."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_ESCAPE_IS_BACKTICK = re.compile(r"(#\s*\w+\s*=.*\n)*#\s*escape\s*=\s*`", re.IGNORECASE)
"""The directive `escape`, which only other directives may precede."""
_HEREDOC = re.compile(r"""(?<!\S)\d*<<(-?)(["']?)(\w+)\2""")
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^}]*))?\})")


@dataclass(slots=True, kw_only=True)
class Stage:
    """A stage, which a FROM begins."""

    name: str = ""
    """The name in lower case; empty if it has none."""
    user: str | None = None
    """The user of its image: the last USER, without the group. None if only the base image tells."""
    arguments: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def expanded(self, text: str) -> str | None:
        """Return the text with its variables expanded; None if one is unknown here."""
        known = self.arguments | self.environment
        values = {match[0]: known.get(match[1] or match[2], match[3]) for match in _VARIABLE.finditer(text)}
        if None in values.values():
            return None
        found = _VARIABLE.sub(lambda match: values[match[0]] or match[3] or "", text)
        return None if "$" in found else found  # a rare form such as ${NAME:+word} is left


def stages(text: str, *, args: Mapping[str, str]) -> Sequence[Stage]:
    """Return the stages of a Dockerfile, in order, for a build with these arguments."""
    above = Stage()  # the ARGs above the first FROM, which apply to every FROM
    found: list[Stage] = []
    for instruction, rest in _instructions(text):
        inside = found[-1] if found else above
        match instruction:
            case "FROM":
                found.append(_begun(rest, above, found))
            case "ARG":
                for word in _words(rest):
                    name, equals, default = word.partition("=")
                    value = inside.expanded(default) if equals else above.arguments.get(name)
                    _set(inside.arguments, name, args.get(name, value))
            case "ENV":
                words = _words(rest)
                if len(words) > 1 and "=" not in words[0]:
                    words = [f"{words[0]}={' '.join(words[1:])}"]  # the old form, `ENV name value`
                for word in words:
                    name, _, value = word.partition("=")
                    _set(inside.environment, name, inside.expanded(value))
            case "USER":
                user = inside.expanded(rest)
                inside.user = user.strip("\"'").partition(":")[0] if user else None
    return found


def built(found: Sequence[Stage], *, target: str | None) -> Stage | None:
    """Return the stage to build: the target, by name or number from 0, or else the last; None if there is none."""
    if target is None:
        return found[-1] if found else None
    return next((each for at, each in enumerate(found) if target.lower() in (each.name, str(at))), None)


def copied(text: str) -> list[str]:
    """Return the sources of COPY and ADD that are not from another stage, as written: paths, patterns and URLs.

    An instruction that cannot be parsed counts as a copy of the whole context.
    """
    found: list[str] = []
    for instruction, rest in _instructions(text):
        if instruction in ("COPY", "ADD"):
            flags = re.match(r"(--\S+\s+)*", rest)
            assert flags  # noqa: S101  it matches the empty string too
            words = rest[flags.end() :]
            try:
                sources = json.loads(words) if words.startswith("[") else words.split()
            except ValueError:
                sources = [".", ""]
            found += [] if "--from=" in flags[0] else map(str, sources[:-1])
    return found


def _begun(rest: str, above: Stage, earlier: Sequence[Stage]) -> Stage:
    base, *name = [word for word in rest.split() if not word.startswith("--")] or [""]
    of = (above.expanded(base) or "").lower()
    begun = Stage(name=name[1].lower() if len(name) > 1 else "", user="root" if of == "scratch" else None)
    for each in earlier:  # the last one of that name counts
        if of and each.name == of:
            begun.user = each.user
            begun.arguments, begun.environment = dict(each.arguments), dict(each.environment)
    return begun


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        return []  # an unclosed quote, which the builder refuses


def _set(variables: dict[str, str], name: str, value: str | None) -> None:
    variables.pop(name, None)
    if value is not None:
        variables[name] = value


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction with its arguments, on one line, without comments and heredocs."""
    text = text.removeprefix("\ufeff")
    escape = "`" if _ESCAPE_IS_BACKTICK.match(text) else "\\"
    lines, begun = iter(text.split("\n")), ""
    for line in lines:
        # Comments and empty lines do not end an instruction that is continued.
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        whole = begun + line.rstrip()
        if whole.endswith(escape):
            begun = whole.removesuffix(escape)
            continue
        begun = ""
        instruction, *rest = whole.split(maxsplit=1)
        yield instruction.upper(), "".join(rest)
        if instruction.upper() in ("RUN", "COPY", "ADD"):
            for tabs, _, end in _HEREDOC.findall(whole):
                for inside in lines:
                    if (inside.lstrip("\t") if tabs else inside).rstrip("\r") == end:
                        break
