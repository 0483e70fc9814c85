"""What is killed is started again: one service by the supervisor, all of them by `make up`."""

import signal
from collections.abc import Callable, Iterable

import psutil
import pytest

from sandbox.layout import Layout, here
from sandbox.machine import namespaces
from sandbox.machine.supervisor import State, states
from tests.e2e import cloud
from tests.e2e.machine import alive, inhabitants, process_of, services, supervisor
from tests.e2e.session import Times
from tests.e2e.site import Site
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually


def _state(layout: Layout, name: str) -> State:
    [state] = [each for each in states(layout) if each.name == name]
    return state


def _kill_and_await(layout: Layout, name: str) -> None:
    """Kill the service's process, and wait until a new one is healthy."""
    service, before = services(layout)[name], _state(layout, name)
    process = eventually(lambda: process_of(layout, service))
    process.send_signal(signal.SIGKILL)

    def healed() -> None:
        assert alive([process]) == []
        state = _state(layout, name)
        assert state.running
        assert state.healed == before.healed + 1
        assert process_of(layout, service).pid != process.pid
        service.healthy()

    eventually(healed)


@pytest.mark.parametrize("name", sorted(services(here()).keys() - {"moto"}))
def test_a_killed_service_is_started_again_and_status_says_so(
    stack: Stack, layout: Layout, site: Site, name: str
) -> None:
    _kill_and_await(layout, name)
    status = stack.sandbox("status")
    [line] = [each for each in status.out.splitlines() if each.split()[:1] == [name]]
    assert "running, healed" in line
    assert "SIGKILL" in line
    eventually(site.page)


def test_what_the_aws_api_forgot_is_made_again_by_the_next_up(
    stack: Stack, layout: Layout, site: Site, times: Times
) -> None:
    """The service `moto` keeps its data in its process's memory, and a kill loses it."""
    _kill_and_await(layout, "moto")
    assert cloud.aws()["hosted zones"] == []
    done = stack.sandbox("up")
    assert eventually(site.page).status == 200
    assert stack.plan("--expect-no-changes").steps == []
    times.hold("`make up` after AWS forgot everything", done.seconds, limit=120)


def _supervisor(layout: Layout) -> Iterable[psutil.Process]:
    return [supervisor(layout)]


def _keeper(layout: Layout) -> Iterable[psutil.Process]:
    return inhabitants(layout)[:1]


def _slirp(layout: Layout) -> Iterable[psutil.Process]:
    return [each for each in inhabitants(layout) if each.name() == "slirp4netns"]


def _everything(layout: Layout) -> Iterable[psutil.Process]:
    return inhabitants(layout)


@pytest.mark.parametrize(
    "victims",
    [_supervisor, _keeper, _slirp, _everything],
    ids=["the supervisor", "the keeper", "the way out", "everything, as a reboot would"],
)
def test_up_works_again_after_the_machine_itself_was_killed(
    stack: Stack,
    layout: Layout,
    site: Site,
    times: Times,
    victims: Callable[[Layout], Iterable[psutil.Process]],
    request: pytest.FixtureRequest,
) -> None:
    before = inhabitants(layout)
    for victim in victims(layout):
        if victim.is_running():
            victim.send_signal(signal.SIGKILL)

    def dead() -> None:
        assert namespaces.keeper(layout) is None
        assert alive(before) == []

    eventually(dead)
    assert stack.sandbox("status", check=False).code == 1
    done = stack.sandbox("up")
    eventually(site.page)
    assert stack.plan("--expect-no-changes").steps == []
    times.hold(f"`make up` after a kill -9 of {request.node.callspec.id}", done.seconds, limit=120)
