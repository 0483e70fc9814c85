"""docs/graph.svg: the program's own graph, drawn whole, and current."""

from collections import Counter
from xml.etree import ElementTree

import pytest

from ops import graph as drawing
from ops.graph import Edge, named
from tests.fast.graph import KUBECONFIG, MADE_KEY, PASSWORD, Graph

GROUP, TITLE = "{http://www.w3.org/2000/svg}g", "{http://www.w3.org/2000/svg}title"


@pytest.fixture(scope="module")
def picture() -> str:
    return drawing.FILE.read_text(encoding="utf-8")


@pytest.fixture(scope="module", name="graph")
def of_dev() -> Graph:
    """What the program declares for the stack `dev`, whose cluster it makes."""
    return drawing.declared()


@pytest.fixture(scope="module")
def drawn(picture: str) -> list[tuple[set[str], str]]:
    """The classes and the title of all that is in the picture."""
    groups = ElementTree.fromstring(picture).iter(GROUP)  # noqa: S314  # a file of this repository
    return [(set(each.attrib["class"].split()), str(each.findtext(TITLE))) for each in groups]


def test_every_resource_is_in_the_committed_picture_once(drawn: list[tuple[set[str], str]], graph: Graph) -> None:
    nodes = Counter(title for kind, title in drawn if "node" in kind)
    expected = Counter([*(named(each) for each in graph.resources), "registry.password"])
    assert nodes == expected, "the program changed: run `make graph`"


def test_every_component_is_a_group_of_it(picture: str, graph: Graph) -> None:
    components = [each for each in graph.declared if not each.custom]
    assert picture.count('class="cluster"') == len(components) + 1  # the providers


def test_its_edges_are_those_of_the_program_and_those_of_secrets_are_marked(
    drawn: list[tuple[set[str], str]], graph: Graph
) -> None:
    edges = {
        Edge(source=title.partition("->")[0], target=title.partition("->")[2], secret="secret" in kind)
        for kind, title in drawn
        if "edge" in kind
    }
    assert edges == drawing.thinned(drawing.edges(graph)), "the program changed: run `make graph`"


def test_every_dependency_is_an_edge_or_follows_from_edges(graph: Graph) -> None:
    followed = pairs = {(edge.source, edge.target) for edge in drawing.thinned(drawing.edges(graph))}
    for _ in graph.resources:
        followed = followed | {(source, end) for source, middle in followed for begin, end in pairs if middle == begin}
    by_urn = {each.urn: each for each in graph.resources}
    needed = {
        (named(by_urn[urn]), named(each)) for each in graph.resources for urn in each.dependencies & by_urn.keys()
    }
    assert needed <= followed
    assert len(pairs) < len(drawing.edges(graph))


def test_the_edges_on_which_a_secret_travels_are_marked(graph: Graph) -> None:
    dynamic, key = "pulumi-python:dynamic/ejemplo-django", "kubernetes:core/v1:Secret"
    assert {(edge.source, edge.target) for edge in drawing.thinned(drawing.edges(graph)) if edge.secret} == {
        ("registry.password", "docker:index/image:Image app-image"),
        ("registry.password", "kubernetes:core/v1:Secret regcred-secret"),
        (f"{dynamic}:KopsReady cluster-ready", f"{dynamic}:ClusterAccess cluster-access"),
        (f"{dynamic}:KopsReady cluster-ready", "pulumi:providers:kubernetes cluster"),
        (f"{dynamic}:RandomKey ejemplo-django-key-random", f"{key} ejemplo-django-key"),
    }


def test_no_secret_is_in_the_picture(picture: str) -> None:
    assert not any(secret in picture for secret in (PASSWORD, KUBECONFIG, MADE_KEY))
