"""docs/graph.svg: the program's own graph, drawn whole, legible, and current."""

from itertools import combinations
from xml.etree import ElementTree

import pytest

from ops import graph as drawing
from ops import layout
from ops.layout import Card, Edge, Row
from tests.fast.graph import KUBECONFIG, MADE_KEY, PASSWORD, Declared, Graph

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture() -> str:
    return drawing.picture()


@pytest.fixture(scope="module", name="graph")
def of_dev() -> Graph:
    """What the program declares for the stack `dev`, whose cluster it makes."""
    return drawing.declared()


@pytest.fixture(scope="module")
def edges(picture: str) -> dict[tuple[str, str], str]:
    """The class of each edge by its two ends."""
    paths = ElementTree.fromstring(picture).iter(f"{SVG}path")  # noqa: S314  # made by the test's subject
    return {
        (each.attrib["data-from"], each.attrib["data-to"]): each.attrib["class"]
        for each in paths
        if "data-to" in each.attrib
    }


def named(declared: Declared) -> str:
    return f"{declared.type} {declared.name}"


def test_the_committed_picture_is_the_one_that_make_graph_draws(picture: str) -> None:
    assert drawing.FILE.read_text(encoding="utf-8") == picture, "the program changed: run `make graph`"


def test_every_resource_is_in_the_picture_once(picture: str, graph: Graph) -> None:
    groups = ElementTree.fromstring(picture).iter(f"{SVG}g")  # noqa: S314  # made by the test's subject
    rows = [each.attrib["data-row"] for each in groups if "data-row" in each.attrib]
    assert sorted(rows) == sorted([*(named(each) for each in graph.resources), "registry.password"])


def test_every_dependency_is_an_edge_or_follows_from_edges(edges: dict[tuple[str, str], str], graph: Graph) -> None:
    by_urn = {each.urn: each for each in graph.resources}
    needed = {
        (named(by_urn[urn]), named(each)) for each in graph.resources for urn in each.dependencies & by_urn.keys()
    }
    followed = set(edges)
    for _ in range(len(graph.resources)):
        followed |= {(source, end) for source, target in followed for begin, end in edges if target == begin}
    assert needed <= followed
    assert len(needed - edges.keys()) < len(needed) / 2


def test_the_edges_on_which_a_secret_travels_are_marked(edges: dict[tuple[str, str], str]) -> None:
    dynamic, key = "pulumi-python:dynamic/ejemplo-django", "kubernetes:core/v1:Secret"
    assert {pair for pair, kind in edges.items() if "secret" in kind} == {
        ("registry.password", "docker:index/image:Image app-image"),
        ("registry.password", "kubernetes:core/v1:Secret regcred-secret"),
        (f"{dynamic}:KopsReady cluster-ready", "pulumi:providers:kubernetes cluster"),
        (f"{dynamic}:RandomKey ejemplo-django-key-random", f"{key} ejemplo-django-key"),
    }


def test_no_secret_is_in_the_picture(picture: str) -> None:
    assert not any(secret in picture for secret in (PASSWORD, KUBECONFIG, MADE_KEY))


def cards(*heights: int) -> list[Card]:
    return [
        Card(
            id=f"card {number}",
            title="",
            note="",
            colour="",
            rows=tuple(Row(id=f"{number}.{index}", text="", note="") for index in range(rows)),
        )
        for number, rows in enumerate(heights)
    ]


def edge(source: str, target: str) -> Edge:
    return Edge(source=source, target=target, secret=False, via=())


def test_no_card_is_on_another_and_all_are_in_the_frame() -> None:
    some = cards(1, 6, 2, 3, 1, 0, 1)
    placed = layout.arranged(some, [edge("0.0", "2.1"), edge("1.5", "2.0"), edge("2.0", "3.2"), edge("0.0", "3.0")])
    boxes = [(*placed.corners[card.id], card.height) for card in some]
    for (x, y, height), (other_x, other_y, other_height) in combinations(boxes, 2):
        assert x != other_x or y + height <= other_y or other_y + other_height <= y
    for x, y, height in boxes:
        assert 0 <= x <= placed.width - layout.WIDTH
        assert 0 <= y <= placed.height - height


def test_an_edge_leads_to_the_right_and_around_what_is_between() -> None:
    some = cards(1, 4, 1)
    long = edge("0.0", "2.0")
    placed = layout.arranged(some, [edge("0.0", "1.0"), edge("1.3", "2.0"), long])
    columns = [x for x, _ in placed.paths[long]]
    assert columns == sorted(columns)
    x, y = placed.corners["card 1"]
    passing = [point_y for point_x, point_y in placed.paths[long] if x <= point_x <= x + layout.WIDTH]
    assert passing
    assert not any(y <= point_y <= y + some[1].height for point_y in passing)


def test_edges_that_need_not_cross_do_not_cross() -> None:
    some = cards(1, 1, 1, 1, 1, 1)
    pairs = [("0.0", "5.0"), ("1.0", "4.0"), ("2.0", "3.0")]
    placed = layout.arranged(some, [edge(*pair) for pair in pairs])
    ends = sorted((placed.ports[source][1], placed.ports[target][1]) for source, target in pairs)
    assert [end for _, end in ends] == sorted(end for _, end in ends)
