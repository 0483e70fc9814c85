"""Text of others inside of Markdown: it is shown as it is, and can be nothing but text."""

import re

LIMIT = 65_536
"""What GitHub takes as the body of a comment or an issue. It counts characters; here bytes are, which are more."""


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


def quoted(lines: list[str], *, kind: str) -> list[str]:
    """Make lines one of GitHub's alerts: `NOTE`, `WARNING` or `CAUTION`."""
    return [f"> [!{kind}]", *(f"> {line}".rstrip() for line in lines)]


def fitted(blocks: list[list[str]], *, end: str, limit: int = LIMIT) -> str:
    """Join blocks of lines, an empty line between two, as long as they fit; `end` says what is left out.

    A block is kept whole or left out, so that nothing in it stays open. In `end`, `{left}` is how many lines
    are left out.
    """
    text = ""
    for at, lines in enumerate(blocks):
        rest = sum(len(each) for each in blocks[at:])
        more = "\n".join(lines) + "\n"
        last = end.format(left=rest) + "\n"
        room = limit - (0 if at == len(blocks) - 1 else _size(last) + 1)
        if _size(text) + _size(more) + 1 > room:
            return f"{text}\n{last}"
        text += ("\n" if text else "") + more
    return text


def _size(text: str) -> int:
    return len(text.encode())


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
