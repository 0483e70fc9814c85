"""The progress of a start: a live display on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_EVERY = 15.0
"""Seconds between two reminders of the running steps."""


class Report(Protocol):
    """Shows the progress of each step. Its methods may be called from any thread."""

    def started(self, name: str) -> None:
        """Show that a step has started."""

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        """Show that a step is at `what`, `done` of `total` units; `total` is 0 where it is unknown."""

    def finished(self, name: str) -> None:
        """Show that a step is done."""

    def failed(self, name: str) -> None:
        """Show that a step failed; no other step starts after it."""


@contextmanager
def reporting(console: Console) -> Iterator[Report]:
    """Yield a report that shows progress on the console."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=20), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            yield _Display(progress)
    else:
        with lines(lambda text: console.print(text, markup=False)) as report:
            yield report


@contextmanager
def lines(say: Callable[[str], None], every: float = _EVERY) -> Iterator[Report]:
    """Yield a report that prints when a step starts and ends, and every `every` seconds which steps run."""
    report, over = _Lines(say), threading.Event()

    def remind() -> None:
        while not over.wait(every):
            report.remind()

    thread = threading.Thread(target=remind, name="progress", daemon=True)
    thread.start()
    try:
        yield report
    finally:
        over.set()
        thread.join()


class _Display:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def started(self, name: str) -> None:
        self._tasks[name] = self._progress.add_task(name, total=None)

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        self._progress.update(self._tasks[name], description=what, completed=done, total=total or None)

    def finished(self, name: str) -> None:
        self._progress.update(self._tasks[name], description=f"{name} is ready", total=1, completed=1)

    def failed(self, name: str) -> None:
        self._progress.update(self._tasks[name], description=f"{name} failed; stopping")


class _Lines:
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = threading.Lock()
        self._began: dict[str, float] = {}
        self._at: dict[str, str] = {}

    def started(self, name: str) -> None:
        with self._lock:
            self._began[name], self._at[name] = time.monotonic(), name
            self._say(f"{name}: starting")

    def advanced(self, name: str, what: str, done: int, total: int) -> None:
        with self._lock:
            self._at[name] = f"{what}, {100 * done // total} %" if total else what

    def finished(self, name: str) -> None:
        with self._lock:
            self._say(f"{name}: ready after {_duration(self._began.pop(name))}")

    def failed(self, name: str) -> None:
        with self._lock:
            self._say(f"{name}: failed after {_duration(self._began.pop(name))}; stopping")

    def remind(self) -> None:
        """Print the running steps, if there are any."""
        with self._lock:
            if self._began:
                some = (f"{self._at[name]} ({_duration(began)})" for name, began in self._began.items())
                self._say(f"… still {'; '.join(some)}")


def _duration(began: float) -> str:
    minutes, seconds = divmod(int(time.monotonic() - began), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
