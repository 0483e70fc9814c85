"""Run steps in parallel, each once the steps it needs are done."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from queue import SimpleQueue

from sandbox.progress import Report

_PARTING = 10
"""Seconds for the other steps to end after the first failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: `needs` names the steps before it, and `run` raises when it fails."""

    needs: tuple[str, ...]
    run: Callable[[], object]


def run(steps: Mapping[str, Step], report: Report, stop: Callable[[], None]) -> None:
    """Run every step, in parallel where they do not need each other.

    After the first failure no other step starts, and `stop` is called to end the running ones. The failure is raised
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
        except BaseException as raised:  # raised again below, in the main thread
            error = raised
        ended.put((name, error))

    try:
        while order.is_active():
            for name in order.get_ready():
                report.started(name)
                # A daemon: a step that ignores `stop` must not keep the process from ending.
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
