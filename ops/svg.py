"""A diagram as SVG: no font, image or script from elsewhere, and a title on everything that can be pointed at."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from ops.layout import HEAD, WIDTH, Card, Edge, Layout

_COLOURS = {
    "aws": "#c8640a",
    "kubernetes": "#326ce5",
    "docker": "#0e7c9b",
    "pulumi-python": "#6b4fa0",
    "setting": "#c2255c",
}
"""By the provider that makes what is in a card; `setting` is a secret of the stack's file."""
_OTHER, _PAPER = "#5f6b7a", "#f8fafc"

_STYLE = """
text { font: 13px -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2937 }
.title { font-weight: 600; fill: #fff }
.name { font-size: 11px; fill: #fff; fill-opacity: .8 }
.note { font-size: 11px; fill: #6b7280 }
.edge { fill: none; stroke: #94a3b8; stroke-width: 1.5 }
.secret { stroke: #c2255c; stroke-width: 2; stroke-dasharray: 6 3 }
"""

_GUTTER = 34
"""The room left of a card's rows, for the edges among them."""
_LETTERS = 24
"""As many of the widest letters as fit beside the gutter."""
_LEGEND = 40


def drawn(cards: Sequence[Card], edges: Sequence[Edge], layout: Layout, *, title: str) -> str:
    """The picture."""
    height = layout.height + _LEGEND
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.width} {height}" '
        f'width="{layout.width}" height="{height}" role="img" aria-label={quoteattr(title)}>',
        f"<style>{_STYLE}</style>",
        "<defs>",
        _arrow("plain", "#94a3b8"),
        _arrow("secret", "#c2255c"),
        "</defs>",
        f'<rect width="{layout.width}" height="{height}" rx="12" fill="#fff"/>',
    ]
    for card in cards:
        lines += _card(card, edges, layout)
        lines += _inner(card, edges, layout)
    # The secret ones last, on top of the others.
    for edge in sorted(layout.paths, key=lambda edge: edge.secret):
        lines.append(_outer(edge, layout))
    lines += _legend(cards, layout)
    return "\n".join([*lines, "</svg>", ""])


def _arrow(id: str, colour: str) -> str:
    return (
        f'<marker id="{id}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
    )


def _card(card: Card, edges: Sequence[Edge], layout: Layout) -> Iterator[str]:
    x, y = layout.corners[card.id]
    colour = _COLOURS.get(card.colour, _OTHER)
    yield f"<g data-card={quoteattr(card.id)}>"
    yield (f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{card.height}" rx="8" fill="{_PAPER}" stroke="{colour}"/>')
    # Round above; beneath it only when there is nothing else.
    foot = f"V{y + HEAD}H{x}" if card.rows else f"v{HEAD - 16}a8 8 0 0 1-8 8H{x + 8}a8 8 0 0 1-8-8"
    head = f"M{x} {y + 8}a8 8 0 0 1 8-8H{x + WIDTH - 8}a8 8 0 0 1 8 8{foot}z"
    yield f'<path d="{head}" fill="{colour}"/>'
    yield f'<text class="title" x="{x + 12}" y="{y + 21}">{escape(card.title)}</text>'
    yield f'<text class="name" x="{x + WIDTH - 12}" y="{y + 21}" text-anchor="end">{escape(card.note)}</text>'
    rows = {row.id for row in card.rows}
    left = x + (_GUTTER if any({edge.source, edge.target} <= rows for edge in edges) else 12)
    for row in card.rows:
        middle = layout.ports[row.id][1]
        yield f"<g data-row={quoteattr(row.id)}><title>{escape(row.id)}</title>"
        yield f'<text x="{left}" y="{middle}">{escape(_short(row.text))}</text>'
        yield f'<text class="note" x="{left}" y="{middle + 14}">{escape(row.note)}</text></g>'
    yield "</g>"


def _short(text: str) -> str:
    return text if len(text) <= _LETTERS else f"{text[: _LETTERS - 1]}…"


def _inner(card: Card, edges: Sequence[Edge], layout: Layout) -> Iterator[str]:
    """The edges among the rows of a card: from each row a line down the gutter, with a branch to every target."""
    rows = [row.id for row in card.rows]
    targets: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.source in rows and edge.target in rows:
            targets[edge.source].append(edge)
    taken: list[int] = []  # by lane, the row down to which it is in use
    left = layout.corners[card.id][0] + _GUTTER - 8
    # The short ones first, and so next to the rows.
    for source in sorted(targets, key=lambda id: max(rows.index(edge.target) for edge in targets[id]) - rows.index(id)):
        first, last = rows.index(source), max(rows.index(edge.target) for edge in targets[source])
        lane = next((number for number, until in enumerate(taken) if until <= first), len(taken))
        taken[lane : lane + 1] = [last]
        x = left - 8 - 7 * lane
        for edge in targets[source]:
            start, end = layout.ports[source][1] + 3, layout.ports[edge.target][1] + 3
            path = f"M{left} {start}H{x + 4}q-4 0-4 4V{end - 4}q0 4 4 4H{left}"
            yield _path(edge, path)


def _outer(edge: Edge, layout: Layout) -> str:
    points = layout.paths[edge]
    path = f"M{points[0][0]} {points[0][1]}"
    for index in range(0, len(points) - 1, 2):
        (x0, y0), (x1, y1) = points[index], points[index + 1]
        middle = (x0 + x1) // 2
        path += f"C{middle} {y0} {middle} {y1} {x1} {y1}"
        if index + 2 < len(points):
            path += f"H{points[index + 2][0]}"
    return _path(edge, path)


def _path(edge: Edge, path: str) -> str:
    kind = "secret" if edge.secret else "plain"
    title = f"{edge.source} → {edge.target}: {', '.join(edge.via)}"
    return (
        f'<path class="edge {kind}" data-from={quoteattr(edge.source)} data-to={quoteattr(edge.target)} '
        f'd="{path}" marker-end="url(#{kind})"><title>{escape(title)}</title></path>'
    )


def _legend(cards: Sequence[Card], layout: Layout) -> Iterator[str]:
    x, y = 24, layout.height + 4
    for kind, text in (("plain", "needs a value of"), ("secret", "hands on a secret")):
        yield f'<path class="edge {kind}" d="M{x} {y}h34" marker-end="url(#{kind})"/>'
        yield f'<text class="note" x="{x + 42}" y="{y + 4}">{text}</text>'
        x += 160
    for colour in sorted({card.colour for card in cards} & _COLOURS.keys()):
        yield f'<rect x="{x}" y="{y - 6}" width="12" height="12" rx="3" fill="{_COLOURS[colour]}"/>'
        yield f'<text class="note" x="{x + 18}" y="{y + 4}">{escape(colour)}</text>'
        x += 36 + 7 * len(colour)
