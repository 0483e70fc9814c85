"""The start: nothing begins before what it needs, and nothing begins after a failure."""

import threading
from functools import partial

import pytest

from sandbox.bringup import Step, _run


def ignore(name: str, state: str) -> None:
    pass


def test_a_step_runs_only_after_everything_it_needs() -> None:
    done: list[str] = []
    needs = {"kubelet": ("apiserver", "containerd"), "apiserver": ("etcd",), "etcd": (), "containerd": ()}

    _run(
        {name: Step(needs=before, run=partial(done.append, name)) for name, before in needs.items()},
        ignore,
    )

    assert sorted(done) == sorted(needs)
    assert all(done.index(before) < done.index(name) for name in needs for before in needs[name])


def test_steps_that_do_not_need_each_other_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=5)

    def meet() -> None:
        meeting.wait()

    _run({name: Step(needs=(), run=meet) for name in ("etcd", "moto")}, ignore)


def test_what_needs_a_failed_step_never_runs_and_the_failure_is_told() -> None:
    def fail() -> None:
        raise OSError("etcd is full")

    ran: list[str] = []
    steps = {
        "etcd": Step(needs=(), run=fail),
        "apiserver": Step(needs=("etcd",), run=lambda: ran.append("apiserver")),
    }

    with pytest.raises(OSError, match="etcd is full"):
        _run(steps, ignore)
    assert not ran
