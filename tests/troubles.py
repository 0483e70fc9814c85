"""The headings of the troubleshooting page: each is a message that the user sees, and a test provokes it.

A heading is the beginning of the message, or the part that identifies it; `…` stands for any text on the same line. A
test that provokes a message calls `provoked`. The suite also runs the pages, so a refusal that a page shows needs no
other test. tests/fast/test_troubles.py checks that every heading is provoked.
"""

import ast
import re

from tests.documents import ANY, PAGES, ROOT, answers, commands, headings

PAGE = "docs/troubleshooting.md"


def _plain(text: str) -> str:
    """Return the text of a heading that is code, in double backticks if it contains one."""
    return text.removeprefix("``").removesuffix("``") if text.startswith("``") else text.strip("`")


TROUBLES = tuple(_plain(text) for tag, text in headings(PAGE) if tag == "h3")
"""Every heading of the page that is a message."""


def provoked(heading: str, said: str) -> None:
    """Fail unless the page has this heading, and the message contains it."""
    assert heading in TROUBLES, f"{PAGE} has no heading {heading!r}"
    assert re.search(".*".join(map(re.escape, heading.split(ANY))), said), f"{heading!r} was not said, but: {said}"


def in_tests() -> set[str]:
    """Return the headings that the tests pass to `provoked`."""
    found = set[str]()
    for file in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="provoked"), args=[ast.Constant(value=str(heading)), *_]):
                    found.add(heading)
    return found


def on_pages() -> set[str]:
    """Return the headings that are in a line of output that a page shows for a command that fails."""
    shown = {line for page in PAGES for each in commands(page, "console fails") for line in each.answer}
    return {each for each in TROUBLES if any(answers(line, (f"{ANY}{each}{ANY}",)) for line in shown)}
