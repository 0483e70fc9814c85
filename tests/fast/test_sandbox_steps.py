"""The start: nothing begins before what it needs, a failure ends it at once, and what goes on is told meanwhile."""

import io
import threading
from functools import partial
from queue import SimpleQueue

import pytest
from rich.console import Console

from sandbox.machine.steps import Step, run
from sandbox.progress import lines, reporting


class Told:
    """What a report was told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def started(self, name: str) -> None:
        self.told.append((name, "started"))

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        self.told.append((name, what))

    def finished(self, name: str) -> None:
        self.told.append((name, "finished"))

    def failed(self, name: str) -> None:
        self.told.append((name, "failed"))


def nothing() -> None:
    pass


def fail() -> None:
    raise OSError("etcd is full")


def test_a_step_runs_only_after_everything_it_needs() -> None:
    done: list[str] = []
    needs = {"kubelet": ("apiserver", "containerd"), "apiserver": ("etcd",), "etcd": (), "containerd": ()}

    run({name: Step(needs=before, run=partial(done.append, name)) for name, before in needs.items()}, Told(), nothing)

    assert sorted(done) == sorted(needs)
    assert all(done.index(before) < done.index(name) for name in needs for before in needs[name])


def test_steps_that_do_not_need_each_other_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=5)

    run({name: Step(needs=(), run=meeting.wait) for name in ("etcd", "moto")}, Told(), nothing)


def test_a_step_is_announced_before_it_runs() -> None:
    told = Told()
    seen: list[tuple[str, str]] = []

    run({"etcd": Step(needs=(), run=lambda: seen.extend(told.told))}, told, nothing)

    assert seen == [("etcd", "started")]
    assert told.told == [("etcd", "started"), ("etcd", "finished")]


def test_what_needs_a_failed_step_never_runs_and_the_failure_is_told() -> None:
    ran: list[str] = []
    steps = {
        "etcd": Step(needs=(), run=fail),
        "apiserver": Step(needs=("etcd",), run=partial(ran.append, "apiserver")),
    }
    told = Told()

    with pytest.raises(OSError, match="etcd is full"):
        run(steps, told, nothing)
    assert not ran
    assert told.told[-1] == ("etcd", "failed")


def test_the_first_failure_ends_the_steps_that_still_run() -> None:
    stopping, ended = threading.Event(), threading.Event()
    waiting = threading.Barrier(2, timeout=5)

    def build() -> None:
        waiting.wait()
        stopping.wait()
        ended.set()

    def fail_meanwhile() -> None:
        waiting.wait()
        fail()

    steps = {"tool kubernetes": Step(needs=(), run=build), "etcd": Step(needs=(), run=fail_meanwhile)}

    with pytest.raises(OSError, match="etcd is full"):
        run(steps, Told(), stopping.set)
    assert ended.is_set()


def test_what_takes_long_is_told_again_and_again_with_what_it_is_at() -> None:
    said: SimpleQueue[str] = SimpleQueue()

    with lines(said.put, every=0.01) as report:
        report.started("tool kubernetes")
        assert "tool kubernetes" in said.get(timeout=5)
        assert "tool kubernetes" in said.get(timeout=5)
        report.advanced("tool kubernetes", "building the kubelet", 1, 4)
        while "building the kubelet, 25 %" not in said.get(timeout=5):
            pass
        report.finished("tool kubernetes")


def test_what_a_step_says_is_no_markup() -> None:
    out = io.StringIO()

    with reporting(Console(file=out)) as report:
        report.started("a [/x] step")

    assert "a [/x] step" in out.getvalue()
