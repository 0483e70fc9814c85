"""Fixtures for the tests of the program."""

import os
from pathlib import Path

import pytest

from tests import example, recorder
from tests.tools import tools


@pytest.fixture
def config(tmp_path: Path) -> example.Inputs:
    """Return a valid configuration; a test changes a copy of it."""
    return example.settings(tmp_path)


@pytest.fixture(scope="session", name="graph")
def declared(tmp_path_factory: pytest.TempPathFactory) -> recorder.Graph:
    """Run the program once with that configuration; tests only read the graph."""
    return recorder.declare(example.settings(tmp_path_factory.mktemp("project")))


@pytest.fixture
def kubectl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the toolchain's kubectl on PATH: another may be missing, too old, or leave a cache behind."""
    monkeypatch.setenv("PATH", f"{tools()['kubectl'].parent}:{os.environ['PATH']}")
