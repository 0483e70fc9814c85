"""The start: a step waits for those that it needs, a failure ends it at once, and the progress is reported."""

import io
import threading
from functools import partial
from queue import SimpleQueue

import pytest
from rich.console import Console

from sandbox.machine.steps import Step, run
from sandbox.progress import lines, reporting


def test_a_step_runs_after_all_that_it_needs_and_beside_what_it_does_not() -> None:
    done: list[str] = []
    meeting = threading.Barrier(2, timeout=5)

    def first() -> None:
        meeting.wait()
        done.append("first")

    steps = {
        "kubelet": Step(needs=("apiserver", "containerd"), run=partial(done.append, "last")),
        "apiserver": Step(needs=("etcd",), run=partial(done.append, "second")),
        "etcd": Step(needs=(), run=first),
        "containerd": Step(needs=(), run=first),
    }
    with lines(lambda _: None) as report:
        run(steps, report, stop=meeting.abort)

    assert sorted(done) == ["first", "first", "last", "second"]
    assert done[-1] == "last"


def test_the_first_failure_is_told_ends_what_still_runs_and_nothing_begins_that_needs_it() -> None:
    stopping, ended = threading.Event(), threading.Event()
    waiting = threading.Barrier(2, timeout=5)
    said: list[str] = []

    def build() -> None:
        waiting.wait()
        stopping.wait()
        ended.set()

    def fail() -> None:
        waiting.wait()
        raise OSError("etcd is full")

    steps = {
        "tool kubernetes": Step(needs=(), run=build),
        "etcd": Step(needs=(), run=fail),
        "apiserver": Step(needs=("etcd",), run=partial(pytest.fail, "it needs etcd")),
    }
    with lines(said.append) as report, pytest.raises(OSError, match="etcd is full"):
        run(steps, report, stop=stopping.set)

    assert ended.is_set()
    assert [each.partition(" after")[0] for each in said if "failed" in each] == ["etcd: failed"]
    assert not [each for each in said if "apiserver" in each]


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
