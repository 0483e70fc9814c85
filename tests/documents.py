"""Parses the pages: their commands with the output shown, excerpts of files, headings and links.

The info string of a fence says what the block is:

- `console`: commands, each after `$ ` (a line after `> ` continues it), then its output. The suite runs the commands of
  a page from top to bottom in one shell. Output that is not shown is not checked. `…` stands for any text; on a line of
  its own, for any number of lines.
- `console fails`: the same, but the last command must fail.
- `console aws`: commands that need AWS. They are not run, but they must parse, and what they name must exist.
- a language and a path, `python infra/zone.py`: lines of that file, with `…` for those left out.
- a language of `DATA`, or one of `TEXTS`: not run.
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
    for pattern in ("*.md", "docs/**/*.md", "examples/*/README.md")
    for path in sorted(ROOT.glob(pattern))
)
"""The paths of all pages in the checkout, in the order in which they are run."""

TRANSLATIONS = {page: page.replace(".es.md", ".md") for page in PAGES if page.endswith(".es.md")}
"""Translated pages and their originals. Both have the same blocks; only the original is run."""

LONGEST = 400
"""The most lines that a page may have; a README in the root may have half as many."""

CONSOLE = ("console", "console fails", "console aws")
DATA = ("json", "python", "yaml")
"""Languages in which a block may be an example that is in no file."""
TEXTS = ("mermaid", "text diagram", "text layout")

ANY = "…"
"""Stands for any text in what a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a page, and the output shown for it."""

    line: int
    """Its line in the page, from 1."""
    text: str
    """The input to bash; several lines where the page continues the command."""
    answer: tuple[str, ...]
    """The lines of output shown; empty if the page shows none."""
    fails: bool
    """Whether it must fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced or indented block of a page."""

    line: int
    """The line of the fence in the page, from 1."""
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
        """The commands of a console block. Raises ValueError for a line before the first command."""
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
    """Return every block of a page, in order."""
    return tuple(
        Block(line=token.map[0] + 1, info=" ".join(token.info.split()), content=token.content)
        for token in _tokens(page)
        if token.type in ("fence", "code_block") and token.map
    )


def commands(page: str, *infos: str) -> tuple[Command, ...]:
    """Return every command in the blocks with one of these info strings."""
    return tuple(each for block in blocks(page) if block.info in infos for each in block.commands)


def headings(page: str) -> tuple[tuple[str, str], ...]:
    """Return the tag (`h2`) and the text of every heading."""
    tokens = _tokens(page)
    return tuple(
        (token.tag, tokens[index + 1].content) for index, token in enumerate(tokens) if token.type == "heading_open"
    )


def links(page: str) -> Iterator[str]:
    """Yield the target of every link and image of a page."""
    for token in _inline(page):
        if target := token.attrs.get("href") or token.attrs.get("src"):
            yield str(target)


def named_links(page: str) -> Iterator[tuple[str, str]]:
    """Yield the code and the target of every link whose text begins with code."""
    for first, code in pairwise(_inline(page)):
        if first.type == "link_open" and code.type == "code_inline":
            yield code.content, str(first.attrs["href"])


def codes(page: str) -> Iterator[str]:
    """Return an iterator over the code within sentences."""
    return (token.content for token in _inline(page) if token.type == "code_inline")


def answers(came: str, shown: tuple[str, ...]) -> bool:
    """Return whether a command's output matches what is shown, ignoring blank lines and the width of columns."""
    lines = "".join(f"{' '.join(line.split())}\n" for line in came.splitlines() if line.strip())
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == ANY else ".*?".join(map(re.escape, " ".join(line.split()).split(ANY))) + r"\n"
        for line in shown
    )
    return re.fullmatch(pattern, lines) is not None


def excerpt_of(content: str, excerpt: str) -> bool:
    """Return whether the lines of an excerpt follow each other in a text, except where `…` leaves some out."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == ANY else re.escape(line) + r"\n" for line in excerpt.splitlines()
    )
    return re.search(f"^{pattern}", content, flags=re.MULTILINE) is not None


def _tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse((ROOT / page).read_text(encoding="utf-8"))


def _inline(page: str) -> Iterator[Token]:
    for token in _tokens(page):
        yield from token.children or ()
