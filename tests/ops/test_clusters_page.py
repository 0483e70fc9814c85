"""docs/clusters.md where it repeats what a file says: the prices, and the statements of the policies."""

import json
import re
import tomllib
from decimal import Decimal
from itertools import takewhile
from typing import Any

import pytest

from ops.engine import PROJECT

PAGE = (PROJECT / "docs" / "clusters.md").read_text(encoding="utf-8")
PARTS = ("deploy", "deploy-ecr", "deploy-kops", "deploy-eks")
POLICIES = [PROJECT / "ops" / "policies" / f"{part}.json" for part in PARTS]


def table(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    lines = PAGE.partition(f"\n## {heading}\n")[2].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| --- "))
    rows = takewhile(lambda line: line.startswith("|"), lines[start + 1 :])
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.fixture(scope="module")
def prices() -> dict[str, Any]:
    return tomllib.loads((PROJECT / "ops" / "prices.toml").read_text(encoding="utf-8"), parse_float=Decimal)


def test_the_costs_are_those_of_the_price_table_and_add_up(prices: dict[str, Any]) -> None:
    monthly = {
        each["what"]: each["monthly"] if "monthly" in each else each["hourly"] * prices["hours_per_month"]
        for each in prices["price"] + prices["part"]
    }
    *rows, total = table("What it costs a month")
    assert len(rows) > 5
    assert {what: cost for what, cost, *_ in rows} == {what: f"{monthly[what]:.2f}" for what, *_ in rows}
    for driver in (2, 3, 4):
        together = sum(monthly[row[0]] * int(row[driver] or 0) for row in rows)
        assert total[driver] == f"{together:.2f}"
    assert f"on {prices['date']}" in PAGE


def test_every_statement_of_a_policy_has_its_reason_on_the_page() -> None:
    statements = [each["Sid"] for file in POLICIES for each in json.loads(file.read_text())["Statement"]]
    assert [row[0].strip("`") for row in table("The rights in AWS")] == statements
    assert all(re.fullmatch(r"yes|no: .+", row[2]) and row[1] for row in table("The rights in AWS"))


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_policy_is_small_enough_to_be_one(file: Any) -> None:
    # Without white space a managed policy may have 6144 characters (IAM and STS quotas).
    assert len(re.sub(r"\s", "", file.read_text())) <= 6144
