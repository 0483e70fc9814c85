"""Where the cards of a diagram go: in columns from left to right, along the edges between them.

The method is that of Sugiyama: a column for each card, places for long edges in the columns that they pass, an order
in every column that crosses few edges, and heights that keep edges straight. The same diagram always gives the same
picture.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import combinations, pairwise

WIDTH, GAP = 216, 68
"""Of a card, and between two columns."""
HEAD, ROW, FOOT = 32, 38, 8
"""Heights: of a card's title, of one of its rows, and beneath the last."""
SPACE = 24
"""Between two cards, one above the other."""
PASS = 12
"""The height that an edge takes up in a column that it only passes."""
MARGIN = 24

_STARTS = 40
"""How many orders are tried; each takes milliseconds."""
_SWEEPS = 24
"""How often the orders and heights are improved; after a dozen times nothing moves any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a card, where edges begin and end."""

    id: str
    text: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A box with a title."""

    id: str
    title: str
    note: str
    colour: str
    """What the drawing chooses the colour by."""
    rows: tuple[Row, ...]

    @property
    def height(self) -> int:
        """With all its rows."""
        return HEAD + len(self.rows) * ROW + (FOOT if self.rows else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From a row to a row."""

    source: str
    target: str
    secret: bool
    via: tuple[str, ...]
    """The inputs of the target that it goes into."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Places, in whole pixels."""

    width: int
    height: int
    corners: Mapping[str, tuple[int, int]]
    """The upper left corner of each card."""
    ports: Mapping[str, tuple[int, int]]
    """The middle of the left border of the card at each row."""
    paths: Mapping[Edge, Sequence[tuple[int, int]]]
    """The points of every edge between two cards: pairs, each a straight line through a column but the first point
    and the last, which are at the cards."""


_Link = tuple[tuple[str, int], tuple[str, int]]
"""Two points, each a place and a height within it."""


@dataclass(slots=True)
class _Place:
    """A card in its column, or an edge that passes it."""

    height: int
    column: int
    y: float = 0.0


def arranged(cards: Sequence[Card], edges: Sequence[Edge]) -> Layout:
    """Find a place for everything. Raises graphlib.CycleError when cards depend on each other in a circle."""
    owner = {row.id: card.id for card in cards for row in card.rows}
    between = [edge for edge in edges if owner[edge.source] != owner[edge.target]]
    column = _columns(cards, {(owner[edge.source], owner[edge.target]) for edge in between})
    joined = {owner[end] for edge in between for end in (edge.source, edge.target)}
    places = {card.id: _Place(card.height, column[card.id]) for card in cards if card.id in joined}
    offset = {row.id: HEAD + index * ROW + ROW // 2 for card in cards for index, row in enumerate(card.rows)}

    # Every edge as a chain of (place, height within it); edges from the same row share the places that they pass.
    chains: dict[Edge, list[tuple[str, int]]] = {}
    for edge in between:
        start, end = owner[edge.source], owner[edge.target]
        passed = [f"{edge.source} > {number}" for number in range(column[start] + 1, column[end])]
        for number, key in enumerate(passed, start=column[start] + 1):
            places.setdefault(key, _Place(PASS, number))
        chains[edge] = [
            (start, offset[edge.source]),
            *((key, PASS // 2) for key in passed),
            (end, offset[edge.target]),
        ]
    links = {link for chain in chains.values() for link in pairwise(chain)}
    _settle(places, sorted(links))
    last = max((place.column for place in places.values()), default=0)
    for card in cards:
        if card.id not in joined:
            places[card.id] = _Place(card.height, -1)
    _pack(places, _parts(list(places), links), range(last + 1))

    x = [MARGIN + number * (WIDTH + GAP) for number in range(last + 1)]
    top = {key: MARGIN + round(place.y) for key, place in places.items()}
    paths = {
        edge: [
            point
            for index, (key, within) in enumerate(chain)
            for point in _ends(x[places[key].column], top[key] + within, index, len(chain))
        ]
        for edge, chain in chains.items()
    }
    return Layout(
        width=x[last] + WIDTH + MARGIN,
        height=max(top[key] + place.height for key, place in places.items()) + MARGIN,
        corners={card.id: (x[places[card.id].column], top[card.id]) for card in cards},
        ports={
            row.id: (x[places[card.id].column], top[card.id] + offset[row.id]) for card in cards for row in card.rows
        },
        paths=paths,
    )


def _columns(cards: Sequence[Card], pairs: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Every card right of what it depends on, and as near as it can be to what depends on it."""
    before: dict[str, set[str]] = {card.id: set() for card in cards}
    after: dict[str, set[str]] = {card.id: set() for card in cards}
    for source, target in pairs:
        before[target].add(source)
        after[source].add(target)
    order = list(TopologicalSorter(before).static_order())
    column: dict[str, int] = {}
    for card in order:
        column[card] = max((column[each] + 1 for each in before[card]), default=0)
    for card in reversed(order):
        if after[card]:
            column[card] = min(column[each] for each in after[card]) - 1
    return column


def _settle(places: Mapping[str, _Place], links: Sequence[_Link]) -> None:
    """Give every place its height: near to what it is linked with, and nothing on top of another.

    Where the sweeps end depends on where they begin, so they begin in several orders, and the best end is taken.
    """
    # For each place: its own point of a link, the other place, and the other's point.
    linked: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for (source, out), (target, into) in links:
        linked[source].append((out, target, into))
        linked[target].append((into, source, out))
    keys = sorted(places)
    dice = random.Random(0)  # noqa: S311  # the same dice every time, and nothing to be kept secret
    ends: list[tuple[int, float, dict[str, float]]] = []
    for _ in range(_STARTS):
        _sweep(places, linked, keys)
        length = sum(abs(_at(places, one) - _at(places, other)) for one, other in links)
        ends.append((_crossings(places, links), length, {key: places[key].y for key in keys}))
        dice.shuffle(keys)
    *_, best = min(ends, key=lambda end: end[:2])
    for key, y in best.items():
        places[key].y = y


def _sweep(places: Mapping[str, _Place], linked: Mapping[str, list[tuple[int, str, int]]], keys: Iterable[str]) -> None:
    """Let every place, column by column and to and fro, move to where its links pull it."""
    columns: dict[int, list[str]] = defaultdict(list)
    for key in keys:
        columns[places[key].column].append(key)
    for column in columns.values():
        _stack(places, column, [0.0] * len(column))
    for sweep in range(_SWEEPS):
        for number in sorted(columns, reverse=bool(sweep % 2)):
            column = columns[number]
            wanted = {
                key: sum(places[other].y + into - out for out, other, into in linked[key]) / len(linked[key])
                for key in column
            }
            if sweep < _SWEEPS // 2:  # first the orders, then, left alone, the heights
                column.sort(key=lambda key: (wanted[key] + places[key].height / 2, key))
            _stack(places, column, [wanted[key] for key in column])


def _crossings(places: Mapping[str, _Place], links: Sequence[_Link]) -> int:
    """How often two links between the same two columns cross."""
    spans = [(places[one[0]].column, _at(places, one), _at(places, other)) for one, other in links]
    return sum(
        column == beside and (start - start_beside) * (end - end_beside) < 0
        for (column, start, end), (beside, start_beside, end_beside) in combinations(spans, 2)
    )


def _at(places: Mapping[str, _Place], point: tuple[str, int]) -> float:
    return places[point[0]].y + point[1]


def _parts(keys: Sequence[str], links: Iterable[_Link]) -> list[list[str]]:
    """The places by what hangs together, the largest part first."""
    part = {key: [key] for key in keys}
    for (source, _), (target, _) in links:
        one, other = part[source], part[target]
        if one is not other:
            one += other
            for key in other:
                part[key] = one
    parts = {id(each): sorted(each) for each in part.values()}
    return sorted(parts.values(), key=lambda each: (-len(each), each))


def _pack(places: Mapping[str, _Place], parts: Iterable[Sequence[str]], columns: Sequence[int]) -> None:
    """Move every part up as far as those before it let it; what stands alone goes to the shortest column."""
    bottom = dict.fromkeys(columns, -float(SPACE))
    for part in parts:
        for key in part:
            if places[key].column < 0:
                places[key].column = min(columns, key=lambda number: (bottom[number], number))
        used = [places[key] for key in part]
        shift = max(bottom[place.column] + SPACE - place.y for place in used)
        for place in used:
            place.y += shift
            bottom[place.column] = max(bottom[place.column], place.y + place.height)
    highest = min((place.y for place in places.values()), default=0)
    for place in places.values():
        place.y -= highest


def _stack(places: Mapping[str, _Place], keys: Sequence[str], wanted: Sequence[float]) -> None:
    """Put the places of a column one beneath the other, with the least squares of what they are away from `wanted`.

    That is an isotonic regression of `wanted` less the room that everything above takes: neighbours that want to be
    on top of each other are joined, and share the mean of their wishes.
    """
    above, room = [], 0.0
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        above.append(room)
        small = PASS in (places[key].height, places[following].height if following else 0)
        room += places[key].height + (SPACE // 2 if small else SPACE)
    blocks: list[tuple[float, int]] = []  # the mean, and of how many
    for wish, taken in zip(wanted, above, strict=True):
        mean, count = wish - taken, 1
        while blocks and blocks[-1][0] > mean:
            other, many = blocks.pop()
            mean, count = (mean * count + other * many) / (count + many), count + many
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    for key, mean, taken in zip(keys, means, above, strict=True):
        places[key].y = mean + taken


def _ends(left: int, y: int, index: int, count: int) -> list[tuple[int, int]]:
    """The points of an edge at one place: it leaves the first, enters the last, and crosses the others."""
    if index == 0:
        return [(left + WIDTH, y)]
    return [(left, y)] if index == count - 1 else [(left, y), (left + WIDTH, y)]
