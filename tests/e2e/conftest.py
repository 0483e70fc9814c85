"""One deployment for all tests: `up` from nothing at its beginning, `down` without a trace at its end."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.layout import Layout, here
from sandbox.machine import namespaces, packages
from tests.e2e.machine import traces
from tests.e2e.session import FirstUp, Times
from tests.e2e.site import Site
from tests.e2e.stack import Stack
from tests.e2e.watching import process_list

FIRST_START = 3600
"""Seconds that the first start on a machine may take: it builds the toolchain."""


TIMES = pytest.StashKey[Times]()
LOGS = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--running`, for working on one test."""
    parser.addoption(
        "--running",
        action="store_true",
        help="use the sandbox as it runs and leave it running; what is about its start and end is skipped",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin the report of times."""
    config.stash[TIMES] = Times()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the times, and where the logs of a failed run are."""
    if measured := config.stash[TIMES].measured:
        terminalreporter.section("times")
        for what, (seconds, limit) in measured.items():
            terminalreporter.line(f"{seconds:7.1f} s  (under {limit:g} s)  {what}")
    if LOGS in config.stash:
        terminalreporter.line(f"The sandbox's logs were kept in {config.stash[LOGS]}.")


@pytest.fixture(scope="session")
def times(pytestconfig: pytest.Config) -> Times:
    """The report of times."""
    return pytestconfig.stash[TIMES]


@pytest.fixture(scope="session")
def _session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Stack, FirstUp | None]]:
    config, layout = request.config, here()
    if os.geteuid() != 0:
        pytest.exit("the end-to-end suite starts the sandbox, which only root may: run it as root", 1)
    stack = Stack(layout=layout, folder=layout.checkout)
    if config.getoption("running"):
        if namespaces.keeper(layout) is None:
            pytest.exit("--running, but the sandbox does not run: start it with `make up`", 1)
        yield stack, None
        return
    try:
        stack.sandbox("down")
        first = _up(stack)
        yield stack, first
    finally:
        if request.session.testsfailed and layout.logs.exists():
            kept = tmp_path_factory.getbasetemp() / "logs"
            shutil.copytree(layout.logs, kept, dirs_exist_ok=True)
            config.stash[LOGS] = kept
        stack.sandbox("down")
    assert traces(layout).since(first.before) == {}


def _up(stack: Stack) -> FirstUp:
    """Bring everything up.

    When something had to be fetched, built or installed for it, it is done once more: only then does its time
    count, and is what is new on the host the sandbox's and not a package's.
    """
    before, cache, missing = traces(stack.layout), _cache(stack.layout), packages.missing()
    with process_list() as commands:
        done = stack.sandbox("up", check=False, timeout=FIRST_START)
    if done.code:
        pytest.exit(f"`python -m sandbox up` ended with {done.code}:\n{done.said[-8000:]}", 1)
    if _cache(stack.layout) == cache and not missing:
        return FirstUp(before=before, done=done, commands=commands)
    stack.sandbox("down")
    return _up(stack)


def _cache(layout: Layout) -> set[Path]:
    return set(layout.cache.rglob("*"))


@pytest.fixture(scope="session")
def stack(_session: tuple[Stack, FirstUp | None]) -> Stack:
    """The stack `local`, deployed."""
    return _session[0]


@pytest.fixture(scope="session")
def layout(stack: Stack) -> Layout:
    """Where the sandbox has its files."""
    return stack.layout


@pytest.fixture(scope="session")
def first_up(_session: tuple[Stack, FirstUp | None]) -> FirstUp:
    """The `up` that the session began with."""
    if _session[1] is None:
        pytest.skip("--running: nothing was started")
    return _session[1]


@pytest.fixture(scope="module")
def outputs(stack: Stack) -> dict[str, Any]:
    """The stack's outputs, when the module's first test asks for them."""
    return stack.outputs()


@pytest.fixture(scope="session")
def site(stack: Stack) -> Site:
    """The site at its host."""
    url = str(stack.outputs()["url"])
    return Site(host=url.removeprefix("https://").rstrip("/"), ca=stack.layout.ca)
