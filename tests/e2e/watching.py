"""Watch while a test runs: visitors who keep sending requests, and the process list as any user reads it."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception

from tests.e2e.site import Answer, Site, ask

PACE = 0.05
"""Seconds between two requests of a visitor, and between two reads of the process list."""


@contextmanager
def meanwhile(*bodies: Callable[[], None]) -> Iterator[None]:
    """Call each function again and again in its own thread, until the block ends."""
    over = threading.Event()

    def repeat(body: Callable[[], None]) -> None:
        while not over.wait(PACE):
            body()

    threads = [threading.Thread(target=repeat, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """The results of visits; `failures` has everything but answers with status 200."""

    pods: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    """How long each answer took, in seconds."""

    def count(self, get: Callable[[], Answer], *, who: str) -> None:
        """Make one request and record its result."""
        began = time.monotonic()
        try:
            answer = get()
        except (OSError, http.client.HTTPException, dns.exception.DNSException) as error:
            self.failures.append(f"{who}: {type(error).__name__}: {error}")
            return
        if answer.status == 200:
            self.answers.append(time.monotonic() - began)
            self.pods.add(answer.pod)
        else:
            self.failures.append(f"{who}: {answer.status} {answer.body[:200]}")


@contextmanager
def visited(site: Site) -> Iterator[Visits]:
    """Visit the site until the block ends: on a new connection each time, and over one that is kept open."""
    visits, kept = Visits(), site.connect()

    def go_on() -> Answer:
        nonlocal kept
        # A load balancer may close the connection with an answer, as one does when its configuration changes.
        if kept.sock is None:
            kept = site.connect()
        return ask(kept, "/")

    try:
        with meanwhile(
            lambda: visits.count(site.ask, who="a new connection"),
            lambda: visits.count(go_on, who="a kept connection"),
        ):
            yield visits
    finally:
        kept.close()


@contextmanager
def process_list() -> Iterator[set[str]]:
    """Collect every command line that is seen in /proc while the block runs."""
    seen: set[str] = set()

    def look() -> None:
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.add(file.read_text(errors="replace").replace("\0", " ").strip())
            except (FileNotFoundError, ProcessLookupError):  # it has ended
                continue

    look()
    with meanwhile(look):
        yield seen
