"""What the tests of the program start from."""

import os
from pathlib import Path

import pytest

from tests.fast import graph
from tests.tools import tools


@pytest.fixture
def config(tmp_path: Path) -> graph.Inputs:
    """A configuration that is accepted; a test changes a copy of it."""
    return graph.settings(tmp_path)


@pytest.fixture(scope="session", name="graph")
def declared(tmp_path_factory: pytest.TempPathFactory) -> graph.Graph:
    """What the program declares for that configuration: run once, only ever looked at."""
    return graph.declare(graph.settings(tmp_path_factory.mktemp("project")))


@pytest.fixture
def kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    """kubectl is on PATH."""
    monkeypatch.setenv("PATH", f"{tools()['kubectl'].parent}:{os.environ['PATH']}")
