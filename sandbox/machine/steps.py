"""Steps, each done as soon as those that it needs are done."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from queue import SimpleQueue

from sandbox.progress import Report

_PARTING = 10
"""Seconds that the other steps have to end in after the first failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do; `needs` name the steps before it, and `run` raises what makes it fail."""

    needs: tuple[str, ...]
    run: Callable[[], object]


def run(steps: Mapping[str, Step], report: Report, stop: Callable[[], None]) -> None:
    """Do every step, those side by side that do not need each other.

    At the first failure no other step begins, and `stop` is called to end those that still run; the failure is raised
    when they have ended, or _PARTING seconds later. Raises graphlib.CycleError when steps need each other.
    """
    order = TopologicalSorter({name: step.needs for name, step in steps.items()})
    order.prepare()
    ended: SimpleQueue[tuple[str, BaseException | None]] = SimpleQueue()
    threads: list[threading.Thread] = []

    def work(name: str) -> None:
        error = None
        try:
            steps[name].run()
        except BaseException as raised:  # it is raised again below, in the thread that waits
            error = raised
        ended.put((name, error))

    try:
        while order.is_active():
            for name in order.get_ready():
                report.started(name)
                # A daemon: a step that does not heed `stop` must not keep the process from ending.
                threads.append(threading.Thread(target=work, args=(name,), name=name, daemon=True))
                threads[-1].start()
            name, error = ended.get()
            if error is not None:
                report.failed(name)
                raise error
            report.finished(name)
            order.done(name)
    except BaseException:
        stop()
        deadline = time.monotonic() + _PARTING
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        raise
