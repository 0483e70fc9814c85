"""The pages: each block is of a known kind, excerpts are in their files, links lead somewhere, translations agree."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.documents import (
    CONSOLE,
    DATA,
    LONGEST,
    PAGES,
    ROOT,
    TEXTS,
    TRANSLATIONS,
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
    known = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert targets <= set(known)


@pytest.mark.parametrize("page", TRANSLATIONS)
def test_a_translation_has_the_same_steps_and_the_same_blocks(page: str) -> None:
    original = TRANSLATIONS[page]
    assert [(each.info, each.content) for each in blocks(page)] == [
        (each.info, each.content) for each in blocks(original)
    ]
    assert [tag for tag, _ in headings(page)] == [tag for tag, _ in headings(original)]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_too_long_to_be_read(page: str) -> None:
    assert len((ROOT / page).read_text().splitlines()) <= (LONGEST / 2 if page.startswith("README") else LONGEST)


def test_the_readme_leads_to_every_page_and_the_tours_to_each_of_its_own() -> None:
    of_the_tour = {page for page in PAGES if Path(page).parent == Path("docs/tour")}
    tours = {"docs/tour/README.md": ".md", "docs/tour/README.es.md": ".es.md"}
    assert set(PAGES) - of_the_tour - {"README.md"} | set(tours) <= set(links("README.md"))
    for tour, ending in tours.items():
        own = {Path(page).name for page in of_the_tour - set(tours) if f".{page.partition('.')[2]}" == ending}
        assert own <= set(links(tour))


@pytest.mark.parametrize("page", PAGES)
def test_every_name_that_links_to_a_module_is_in_it(page: str) -> None:
    for name, link in named_links(page):
        if link.endswith(".py") and name.isidentifier():
            module = ((ROOT / page).parent / link).read_text(encoding="utf-8")
            assert re.search(rf"\b{name}\b", module), f"{page}: {link} has no {name}"


@pytest.mark.parametrize("page", PAGES)
def test_every_path_that_a_sentence_names_is_there(page: str) -> None:
    folders = "contract|docs|examples|infra|ops|sandbox|tests"
    named = [code for code in codes(page) if re.fullmatch(rf"({folders})/[\w./-]*", code)]
    assert [each for each in named if not (ROOT / each).exists()] == []


def _anchor(text: str) -> str:
    """Return the anchor that GitHub makes from a heading."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
