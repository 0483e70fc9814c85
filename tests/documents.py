"""The pages as their reader has them: blocks of commands with what they answer, excerpts of files, and the rest.

A fence's info string says what its block is:

- `console`: commands, each after `$ ` (a line after `> ` continues it), then what it answers. The suite runs them from
  the top of a page to its end in one shell. An answer that is not shown is not looked at, and `…` in one stands for
  anything: on a line of its own for any number of lines.
- `console fails`: the same, and the last command is refused.
- `console aws`: commands that need AWS. They are not run; they have to parse, and what they name has to exist.
- a language and a path, `python infra/zone.py`: lines of that file, `…` for those left out.
- a language of `DATA`, `mermaid`, or `text` and what it is: not to be run.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

PAGES = tuple(
    str(path.relative_to(ROOT))
    for pattern in ("README.md", "docs/**/*.md", "examples/*/README.md")
    for path in sorted(ROOT.glob(pattern))
)
"""Every page, by its path in the checkout; in the order in which they are run."""

CONSOLE = ("console", "console fails", "console aws")
DATA = ("json", "python", "yaml")
"""Languages of which a block may be an example that is in no file."""
TEXTS = ("mermaid", "text diagram", "text layout")

ANY = "…"
"""Stands for anything in what a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of a page, and what it is said to answer."""

    line: int
    """In the page, from 1."""
    text: str
    """As bash takes it; of several lines where the page continues it."""
    answer: tuple[str, ...]
    """The lines shown; none when the page does not say."""
    fails: bool
    """Whether it is to be refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced or indented block of a page."""

    line: int
    """Of the fence in the page, from 1."""
    info: str
    """The fence's info string; empty for an indented block."""
    content: str

    @property
    def path(self) -> str | None:
        """The file that this is an excerpt of."""
        language, _, rest = self.info.partition(" ")
        return rest if language not in ("console", "text") and rest else None

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of a console block. Raises ValueError for a line before the first one."""
        found: list[tuple[int, list[str], list[str]]] = []
        for number, line in enumerate(self.content.splitlines(), self.line + 1):
            if line.startswith("$ "):
                found.append((number, [line[2:]], []))
            elif not found:
                raise ValueError(f"line {number}: a console block begins with `$ ` and a command")
            elif line.startswith("> ") and not found[-1][2]:
                found[-1][1].append(line[2:])
            elif line.strip():
                found[-1][2].append(line)
        fails = self.info == "console fails"
        return tuple(
            Command(line=line, text="\n".join(text), answer=tuple(answer), fails=fails and text is found[-1][1])
            for line, text, answer in found
        )


def blocks(page: str) -> tuple[Block, ...]:
    """Every block of a page, in its order."""
    return tuple(
        Block(line=token.map[0] + 1, info=" ".join(token.info.split()), content=token.content)
        for token in _tokens(page)
        if token.type in ("fence", "code_block") and token.map
    )


def commands(page: str, *infos: str) -> tuple[Command, ...]:
    """Every command in the blocks with one of these info strings."""
    return tuple(each for block in blocks(page) if block.info in infos for each in block.commands)


def headings(page: str) -> tuple[tuple[str, str], ...]:
    """The tag (`h2`) and the text of every heading."""
    tokens = _tokens(page)
    return tuple(
        (token.tag, tokens[index + 1].content) for index, token in enumerate(tokens) if token.type == "heading_open"
    )


def links(page: str) -> Iterator[str]:
    """What the page's links and images point to."""
    for token in _inline(page):
        if target := token.attrs.get("href") or token.attrs.get("src"):
            yield str(target)


def named_links(page: str) -> Iterator[tuple[str, str]]:
    """What the page's links say when it is one piece of code, and what they point to."""
    for first, code in pairwise(_inline(page)):
        if first.type == "link_open" and code.type == "code_inline":
            yield code.content, str(first.attrs["href"])


def codes(page: str) -> Iterator[str]:
    """The code within sentences."""
    return (token.content for token in _inline(page) if token.type == "code_inline")


def answers(came: str, shown: tuple[str, ...]) -> bool:
    """Whether a command answered what is shown. Blank lines and the width of columns do not count."""
    lines = "".join(f"{' '.join(line.split())}\n" for line in came.splitlines() if line.strip())
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == ANY else ".*?".join(map(re.escape, " ".join(line.split()).split(ANY))) + r"\n"
        for line in shown
    )
    return re.fullmatch(pattern, lines) is not None


def excerpt_of(content: str, excerpt: str) -> bool:
    """Whether the lines of an excerpt are in a text one after the other, but for those left out by `…`."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == ANY else re.escape(line) + r"\n" for line in excerpt.splitlines()
    )
    return re.search(f"^{pattern}", content, flags=re.MULTILINE) is not None


def _tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text(encoding="utf-8"))


def _inline(page: str) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or ()
