"""`make graph`: the program's dependency graph, as the program itself declares it, drawn as docs/graph.svg."""

import contextlib
import tempfile
from collections import defaultdict
from pathlib import Path

import yaml

from ops import engine, example, layout, recorder, svg
from ops.layout import Card, Edge, Row
from ops.recorder import Declared, Graph

FILE = engine.PROJECT / "docs" / "graph.svg"
"""Where the picture is kept, for README.md."""

_PROVIDERS = "pulumi:providers:"
_SECRETS = {"registry.password": example.PASSWORD, "cluster.kubeconfig": example.KUBECONFIG.rstrip()}
"""The secrets of the example's settings, each of which is found again wherever the program hands it on."""


def run() -> None:
    """Draw the dependency graph of the program into docs/graph.svg."""
    FILE.write_text(picture(), encoding="utf-8")
    print(FILE.relative_to(engine.PROJECT))


def picture() -> str:
    """The SVG, always the same for the same program."""
    graph = declared()
    edges = edges_of(graph)
    cards = cards_of(graph, edges)
    edges = thinned(cards, edges)
    title = "What the program declares, and what needs a value of what"
    return svg.drawn(cards, edges, layout.arranged(cards, edges), title=title)


def declared() -> Graph:
    """What the program declares for the stack `dev`, with the example's secrets in place of the stack's own."""
    file = yaml.safe_load((engine.PROJECT / "Pulumi.dev.yaml").read_text(encoding="utf-8"))
    prefix = f"{engine.project_name()}:"
    config = {key.removeprefix(prefix): value for key, value in file["config"].items() if key.startswith(prefix)}
    with tempfile.TemporaryDirectory() as folder:
        made = example.settings(Path(folder))
        config["registry"]["passwordFile"] = made["registry"]["passwordFile"]
        config["registry"].pop("password", None)
        if config["cluster"]["driver"] == "existing":
            config["cluster"] = made["cluster"]
        with contextlib.chdir(engine.PROJECT):
            return recorder.declare(config)


def edges_of(graph: Graph) -> list[Edge]:
    """From each resource, or secret setting, to the resources that take a value of it."""
    resources = {each.urn: each for each in graph.resources}
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    secret: set[tuple[str, str]] = set()
    for each in graph.resources:
        for key, urns in each.sources.items():
            texts = list(recorder.texts(each.inputs.get(key)))
            for urn in urns & resources.keys():
                pair = (_id(resources[urn]), _id(each))
                found[pair].add(key)
                if any(is_secret for _, is_secret in texts):
                    secret.add(pair)
        # A secret that no resource gave is one of the settings.
        for key, value in ((key, value) for key, value in each.inputs.items() if not each.sources.get(key)):
            for setting, marker in _SECRETS.items():
                if any(marker in text for text, is_secret in recorder.texts(value) if is_secret):
                    found[setting, _id(each)].add(key)
                    secret.add((setting, _id(each)))
    return [
        Edge(source=source, target=target, secret=(source, target) in secret, via=tuple(sorted(via)))
        for (source, target), via in sorted(found.items())
    ]


def thinned(cards: list[Card], edges: list[Edge]) -> list[Edge]:
    """Without the edges to a row that other rows of its card lead to from the same source: they make a thicket.

    A row that a secret goes to keeps its edge.
    """
    direct = {(edge.source, edge.target) for edge in edges}
    owner = {row.id: card.id for card in cards for row in card.rows}

    def follows(edge: Edge) -> bool:
        return not edge.secret and any(
            (edge.source, row) in direct and (row, edge.target) in direct
            for row, card in owner.items()
            if card == owner[edge.target] != owner[edge.source]
        )

    return [edge for edge in edges if not follows(edge)]


def cards_of(graph: Graph, edges: list[Edge]) -> list[Card]:
    """A card for every component with the resources in it, one for the providers, one for each secret setting."""
    settings = [
        Card(
            id=f"setting {name}",
            title="Setting",
            note="secret",
            colour="setting",
            rows=(Row(id=name, text=name, note="in the stack's file, or a file it names"),),
        )
        for name in sorted({edge.source for edge in edges} & _SECRETS.keys())
    ]
    components = [
        Card(
            id=each.urn.rpartition("pulumi:Stack$")[2],
            title=_word(each.type),
            note=each.name,
            colour=_colour(children),
            rows=tuple(_row(child) for child in children),
        )
        for each in sorted(graph.declared, key=lambda each: (each.type, each.name))
        if not each.custom
        for children in [_ordered([child for child in graph.resources if child.parent == each.urn], edges)]
    ]
    providers = sorted(
        (each for each in graph.resources if each.type.startswith(_PROVIDERS)), key=lambda each: each.name
    )
    rows = tuple(Row(id=_id(each), text=each.type.removeprefix(_PROVIDERS), note=each.name) for each in providers)
    return [
        *settings,
        *components,
        Card(id="providers", title="Providers", note="", colour="providers", rows=rows),
    ]


def _ordered(children: list[Declared], edges: list[Edge]) -> list[Declared]:
    """Each after what it needs, and otherwise by name."""
    needs = {_id(child): {edge.source for edge in edges if edge.target == _id(child)} for child in children}
    ordered: list[Declared] = []
    waiting = sorted(children, key=_id)
    while waiting:
        names = {_id(child) for child in waiting}
        ready = next(child for child in waiting if not needs[_id(child)] & names)
        ordered.append(ready)
        waiting.remove(ready)
    return ordered


def _row(declared: Declared) -> Row:
    return Row(id=_id(declared), text=_word(declared.type), note=declared.name)


def _colour(children: list[Declared]) -> str:
    """The package that most of a component's resources come from."""
    packages = [child.type.partition(":")[0] for child in children]
    return max(
        sorted(set(packages)),
        key=lambda each: (packages.count(each), each != "pulumi-python"),
        default="none",
    )


def _id(declared: Declared) -> str:
    return f"{declared.type} {declared.name}"


def _word(type_: str) -> str:
    return type_.rpartition(":")[2]
