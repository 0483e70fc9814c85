"""The pages: each block is of a known kind, excerpts are in their files, links lead somewhere, translations agree."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.documents import (
    CONSOLE,
    DATA,
    PAGES,
    ROOT,
    TEXTS,
    answers,
    blocks,
    codes,
    excerpt_of,
    headings,
    links,
    named_links,
)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    for block in blocks(page):
        known = block.info in (*CONSOLE, *DATA, *TEXTS) or block.path
        assert known, f"{page}:{block.line} is of no known kind ({block.info!r}); tests/documents.py has them"
        if block.info in CONSOLE:
            assert block.commands


@pytest.mark.parametrize("page", PAGES)
def test_every_excerpt_is_in_its_file(page: str) -> None:
    for block in blocks(page):
        if block.path:
            content = (ROOT / block.path).read_text(encoding="utf-8")
            assert excerpt_of(content, block.content), f"{page}:{block.line} is not in {block.path}"


@pytest.mark.parametrize("page", PAGES)
def test_every_link_within_the_repository_leads_somewhere(page: str) -> None:
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        if ":" in path:
            continue
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            found = [_anchor(text) for _, text in headings(str(target.resolve().relative_to(ROOT)))]
            assert anchor in found, f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_sentence_names_is_one(page: str) -> None:
    targets = {words[1] for code in codes(page) if (words := code.split())[:1] == ["make"] and len(words) > 1}
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert targets <= set(known)


def test_the_tutorial_has_the_same_steps_and_the_same_blocks_in_both_languages() -> None:
    spanish, english = "docs/tutorial.es.md", "docs/tutorial.md"
    assert [(each.info, each.content) for each in blocks(spanish)] == [
        (each.info, each.content) for each in blocks(english)
    ]
    assert [tag for tag, _ in headings(spanish)] == [tag for tag, _ in headings(english)]


@pytest.mark.parametrize(
    ("came", "shown", "same"),
    [
        ("one\ntwo\n", "one\ntwo", True),
        ("one\ntwo\n", "one", False),
        ("one\n\ntwo\nthree\n", "one\n…", True),
        ("one\n", "…\none\n…", True),
        ("NAME  AGE\nweb-1  5m\n", "NAME   AGE\nweb-… …", True),
        ("NAME  AGE\nweb-1  5m\n", "NAME   AGE\ndb-… …", False),
        ("one\ntwo\n", "o…o", False),
        ("a.b\n", "a-b", False),
    ],
)
def test_what_a_page_shows_is_compared_but_for_what_it_leaves_out(came: str, shown: str, *, same: bool) -> None:
    assert answers(came, tuple(shown.splitlines())) is same


def test_the_readme_leads_to_every_page_and_the_decisions_to_each() -> None:
    decisions = {page for page in PAGES if page.startswith("docs/decisions/")} - {"docs/decisions/README.md"}
    assert set(PAGES) - decisions - {"README.md"} <= set(links("README.md"))
    assert {Path(page).name for page in decisions} <= set(links("docs/decisions/README.md"))


@pytest.mark.parametrize("page", PAGES)
def test_every_name_that_links_to_a_module_is_in_it(page: str) -> None:
    for name, link in named_links(page):
        if link.endswith(".py") and name.isidentifier():
            module = ((ROOT / page).parent / link).read_text(encoding="utf-8")
            assert re.search(rf"\b{name}\b", module), f"{page}: {link} has no {name}"


def _anchor(text: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
