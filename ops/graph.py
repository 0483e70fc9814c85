"""`make graph`: the program's dependency graph, as the program itself declares it, drawn as docs/graph.svg.

Graphviz draws it, which the wheels of pygraphviz bring along; only this command imports it.
"""

import contextlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml

from ops import engine, example, recorder
from ops.recorder import Declared, Graph

FILE = engine.PROJECT / "docs" / "graph.svg"
"""Where the picture is kept, for README.md."""

_PROVIDERS = "pulumi:providers:"
_SECRETS = {"registry.password": example.PASSWORD, "cluster.kubeconfig": example.KUBECONFIG.rstrip()}
"""The secrets of the example's settings, each of which is found again wherever the program hands it on."""
_COLOURS = {"aws": "#c8640a", "kubernetes": "#326ce5", "docker": "#0e7c9b", "pulumi-python": "#6b4fa0"}
"""By the package that makes a resource."""
_SECRET, _PLAIN, _FONT = "#c2255c", "#94a3b8", "Helvetica,Arial,sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From a resource, or a secret setting, to a resource that waits for it."""

    source: str
    target: str
    secret: bool
    """Whether the resource is handed a secret of it."""


def run() -> None:
    """Draw the dependency graph of the program into docs/graph.svg."""
    import pygraphviz  # here, because a workflow installs the operations without it

    graph = declared()
    drawing = pygraphviz.AGraph(string="\n".join(_dot(graph, thinned(edges(graph)))))
    FILE.write_bytes(drawing.draw(format="svg", prog="dot"))
    print(FILE.relative_to(engine.PROJECT))


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


def named(declared: Declared) -> str:
    """What a resource is called in the picture's titles."""
    return f"{declared.type} {declared.name}"


def edges(graph: Graph) -> frozenset[Edge]:
    """All that waits for something, and what goes along with it."""
    resources = {each.urn: named(each) for each in graph.resources}
    secret: dict[tuple[str, str], bool] = defaultdict(bool)
    for each in graph.resources:
        for urn in each.dependencies & resources.keys():
            secret[resources[urn], named(each)] |= False
        for key, value in each.inputs.items():
            hidden = [text for text, is_secret in recorder.texts(value) if is_secret]
            sources = [resources[urn] for urn in each.sources.get(key, ()) if urn in resources]
            # A secret that no resource gave is one of the settings.
            settings = (
                [] if sources else [key for key, mark in _SECRETS.items() if any(mark in text for text in hidden)]
            )
            for source in sources + settings:
                secret[source, named(each)] |= bool(hidden)
    return frozenset(Edge(source=pair[0], target=pair[1], secret=hidden) for pair, hidden in secret.items())


def thinned(all_: Collection[Edge]) -> frozenset[Edge]:
    """Without the edges that follow from others, which make a thicket; one that a secret goes along stays."""
    after = defaultdict(set)
    for edge in all_:
        after[edge.source].add(edge.target)

    def beyond(start: str) -> set[str]:
        return {far for near in after[start] for far in (near, *beyond(near))}

    return frozenset(
        edge
        for edge in all_
        if edge.secret or not any(edge.target in beyond(other) for other in after[edge.source] - {edge.target})
    )


def _dot(graph: Graph, edges: Iterable[Edge]) -> Iterator[str]:
    """The graph in Graphviz' language: a cluster for every component, one for the providers and one for settings."""
    groups: Mapping[tuple[str, str], list[Declared]] = defaultdict(list)
    components = {each.urn: (_word(each.type), each.name) for each in graph.declared if not each.custom}
    for each in graph.resources:
        groups[components.get(each.parent, ("Providers", ""))].append(each)
    yield f"""digraph {{
        rankdir=LR ranksep=0.9 nodesep=0.15 bgcolor=white labelloc=b fontname="{_FONT}" fontsize=12
        label=<waits for: <font color="{_PLAIN}">grey</font>,
            hands on a secret: <font color="{_SECRET}">red, dashed</font>>
        node [shape=box style="rounded,filled" fillcolor=white margin="0.14,0.05" fontname="{_FONT}" fontsize=11]
        edge [color="{_PLAIN}" arrowsize=0.7]"""
    for number, ((title, name), children) in enumerate(sorted(groups.items())):
        [(package, _)] = Counter(child.type.partition(":")[0] for child in children).most_common(1)
        colour = _COLOURS.get(package, "#5f6b7a")
        yield f"""subgraph cluster_{number} {{
            label=<<b>{escape(title)}</b> {escape(name)}> labelloc=t color="{colour}" fontcolor="{colour}"
            style=rounded bgcolor="#f8fafc" margin=10"""
        yield from sorted(_node(named(child), _word(child.type), child.name, colour) for child in children)
        yield "}"
    for setting in sorted({edge.source for edge in edges} & _SECRETS.keys()):
        yield _node(setting, setting, "a secret of the stack", _SECRET)
    for edge in sorted(edges, key=lambda edge: (edge.source, edge.target)):
        kind = f' [class=secret color="{_SECRET}" style=dashed penwidth=1.6]' if edge.secret else ""
        yield f'"{edge.source}" -> "{edge.target}"{kind}'
    yield "}"


def _node(id: str, title: str, note: str, colour: str) -> str:
    note = f'<font point-size="9" color="#6b7280">{escape(note)}</font>'
    return f'"{id}" [label=<{escape(title.removeprefix(_PROVIDERS))}<br/>{note}> color="{colour}"]'


def _word(type_: str) -> str:
    return type_.rpartition(":")[2]
