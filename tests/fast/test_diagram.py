"""The diagram in README.md: the nouns of __main__.py, and which of them use which."""

import ast
import re

from tests.documents import blocks
from tests.recorder import ROOT

Edges = set[tuple[str, str]]
LEFT_OUT = {"settings", "Outputs"}
"""Every noun uses the settings, and the outputs use every noun."""


def declared() -> Edges:
    """Return the edges from each variable of the program to those made from it; a noun in no variable has its class."""
    made: dict[str, set[str]] = {}
    for statement in ast.parse((ROOT / "__main__.py").read_text(encoding="utf-8")).body:
        if not isinstance(statement, ast.Assign | ast.Expr) or not isinstance(
            statement.value, ast.Call | ast.Attribute
        ):
            continue
        used = {node.id for node in ast.walk(statement.value) if isinstance(node, ast.Name)} & made.keys() - LEFT_OUT
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            made[statement.targets[0].id] = used
        elif isinstance(call := statement.value, ast.Call) and isinstance(call.func, ast.Name):
            made[call.func.id] = used
    # Replace options by the nouns in them: they say where a noun lives, and what it waits for.
    options = {name for name in made if name.startswith(("in_", "after_"))}
    for name in made:
        while found := made[name] & options:
            made[name] = made[name] - found | {each for option in found for each in made[option]}
    return {(source, name) for name in made.keys() - options - LEFT_OUT for source in made[name]}


def thinned(edges: Edges) -> Edges:
    """Return the edges without those that follow from others: they would clutter the diagram."""

    def beyond(start: str) -> set[str]:
        near = {target for source, target in edges if source == start}
        return near | {far for each in near for far in beyond(each)}

    return {
        (source, target)
        for source, target in edges
        if not any(target in beyond(other) for first, other in edges if first == source and other != target)
    }


def test_the_diagram_of_the_readme_is_that_of_the_program() -> None:
    [drawn] = [block.content for block in blocks("README.md") if block.info == "mermaid"]
    edges = set(re.findall(r"^ *(\w+)(?:\[[^]]*\])? --> (\w+)", drawn, flags=re.MULTILINE))
    assert edges == thinned(declared())
