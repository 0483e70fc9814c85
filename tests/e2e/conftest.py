"""One deployment for all tests: `up` from nothing at the start, `down` without a trace at the end."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox import environment
from sandbox.layout import Layout, here
from sandbox.machine import namespaces, packages
from tests.e2e.machine import traces
from tests.e2e.session import FirstUp, Times
from tests.e2e.site import Site
from tests.e2e.stack import CLUSTER, Stack
from tests.e2e.watching import process_list

FIRST_START = 3600
"""Seconds that the first start on a machine may take: it builds the toolchain."""

LARGER = 2
"""Multiplies the limits of measured times on EKS: 45 of the 86 resources of its stack are the cluster."""

TIMES = pytest.StashKey[Times]()
LOGS = pytest.StashKey[Path]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--running`, for working on one test, and `--driver`."""
    parser.addoption(
        "--running",
        action="store_true",
        help="use the sandbox as it runs and leave it running; what is about its start and end is skipped",
    )
    parser.addoption(
        "--driver",
        choices=environment.STACKS,
        default="existing",
        help="who makes the cluster of the stack; with --running, the driver that Pulumi.local.yaml has already",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start the report of times, and register the marker `not_on_eks`."""
    config.stash[TIMES] = Times(factor=LARGER if _on_eks(config) else 1)
    config.addinivalue_line("markers", "not_on_eks(reason): what cannot hold where EKS makes the session's cluster")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Limit each test without its fixtures: the first builds the toolchain. On EKS, skip what cannot hold there."""
    for item in items:
        item.add_marker(pytest.mark.timeout(float(config.getini("timeout")), func_only=True))
        if _on_eks(config) and (marker := item.get_closest_marker("not_on_eks")):
            item.add_marker(pytest.mark.skip(*marker.args))


def _on_eks(config: pytest.Config) -> bool:
    return bool(config.getoption("driver") == "eks")


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
    """Return the report of times."""
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
    with _cluster_of(config.getoption("driver"), layout):
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


@contextmanager
def _cluster_of(driver: str, layout: Layout) -> Iterator[None]:
    """Put the cluster section of this driver's stack into the session's stack file, until the block ends."""
    file, other = (
        layout.checkout / f"Pulumi.{stack}.yaml" for stack in (environment.STACK, environment.STACKS[driver])
    )
    before, section = file.read_text(), CLUSTER.search(other.read_text())
    assert section is not None
    file.write_text(CLUSTER.sub(section[0], before))
    try:
        yield
    finally:
        file.write_text(before)


def _up(stack: Stack) -> FirstUp:
    """Start the sandbox and deploy the stack.

    If that had to download, build or install something, take it all down and repeat it. Otherwise its time would not
    count, and what is new on the host could be a package's instead of the sandbox's.
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
    """Return the deployed stack `local`."""
    return _session[0]


@pytest.fixture(scope="session")
def layout(stack: Stack) -> Layout:
    """Return where the sandbox has its files."""
    return stack.layout


@pytest.fixture(scope="session")
def first_up(_session: tuple[Stack, FirstUp | None]) -> FirstUp:
    """Return the `up` that the session began with; skip the test under `--running`."""
    if _session[1] is None:
        pytest.skip("--running: nothing was started")
    return _session[1]


@pytest.fixture(scope="module")
def outputs(stack: Stack) -> dict[str, Any]:
    """Return the stack's outputs, read when the module's first test asks for them."""
    return stack.outputs()


@pytest.fixture(scope="session")
def site(stack: Stack) -> Site:
    """Return the stack's site."""
    url = str(stack.outputs()["url"])
    return Site(host=url.removeprefix("https://").rstrip("/"), ca=stack.layout.ca)
