"""What a stack costs in a month, from the dated table in prices.toml: what is paid for its being there."""

import datetime
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ops import values
from ops.plan import Resource

_TABLE = Path(__file__).with_name("prices.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one resource of a type costs."""

    type: str
    when: tuple[tuple[str, Any], ...]
    """Paths of inputs, each with the value with which it costs that."""
    what: str
    monthly: Decimal
    """USD."""
    source: str
    """The page that has the price."""

    def meets(self, type_: str, inputs: Mapping[str, Any]) -> bool:
        """Say whether a resource costs this."""
        return type_ == self.type and all(_is(inputs, path, value) for path, value in self.when)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All prices, of one region and one day."""

    date: datetime.date
    region: str
    prices: tuple[Price, ...]
    free: frozenset[str]
    """Types of AWS without a price of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some resources cost together."""

    items: tuple[tuple[Price, int], ...]
    """Which prices are paid, and how often each."""
    unknown: frozenset[str]
    """Types of AWS among them which the table does not know."""

    @property
    def monthly(self) -> Decimal:
        """USD."""
        return sum((price.monthly * count for price, count in self.items), Decimal(0))


def table(path: Path = _TABLE) -> Table:
    """Read the table."""
    read = tomllib.loads(path.read_text(), parse_float=Decimal)
    hours = Decimal(read["hours_per_month"])
    prices = tuple(
        Price(
            type=each["type"],
            when=tuple(each.get("when", {}).items()),
            what=each["what"],
            monthly=each["hourly"] * hours if "hourly" in each else each["monthly"],
            source=each["source"],
        )
        for each in read["price"]
    )
    free = frozenset(type_ for each in read["free"] for type_ in each["types"])
    return Table(date=read["date"], region=read["region"], prices=prices, free=free)


def before(resources: Iterable[Resource], prices: Table) -> Cost:
    """What the resources cost as they are."""
    return _cost([(each.type, each.before) for each in resources], prices)


def after(resources: Iterable[Resource], prices: Table) -> Cost:
    """What the resources cost once the plan is carried out."""
    return _cost([(each.type, each.after) for each in resources], prices)


def _cost(resources: Iterable[tuple[str, Mapping[str, Any] | None]], prices: Table) -> Cost:
    there = [(type_, inputs) for type_, inputs in resources if inputs is not None]
    paid = Counter(price for resource in there for price in prices.prices if price.meets(*resource))
    unknown = {
        type_
        for type_, inputs in there
        if type_.startswith("aws:")
        and type_ not in prices.free
        and not any(price.meets(type_, inputs) for price in prices.prices)
    }
    return Cost(items=tuple((each, paid[each]) for each in prices.prices if each in paid), unknown=frozenset(unknown))


def _is(inputs: Mapping[str, Any], path: str, value: Any) -> bool:
    try:
        return bool(values.find(inputs, path) == value)
    except KeyError:
        return False
