"""What goes on meanwhile: visitors who keep asking, and the process list as anybody could read it."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.exception

from tests.e2e.site import Answer, Site, ask

PACE = 0.05
"""Seconds between two requests of one visitor, and between two looks at the process list."""


@contextmanager
def meanwhile(*bodies: Callable[[], None]) -> Iterator[None]:
    """Call each of the functions again and again, each in a thread of its own, until the block ends."""
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
    """What visitors met with; `failures` are all that was not an answer with 200."""

    pods: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    """How long each answer took, in seconds."""

    def count(self, get: Callable[[], Answer], *, who: str) -> None:
        """Make one request and write down what came of it."""
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
    """Have the site visited: once and again on new connections, and over one that is kept open."""
    visits = Visits()
    with (
        closing(site.connect()) as kept,
        meanwhile(
            lambda: visits.count(site.ask, who="a new connection"),
            lambda: visits.count(lambda: ask(kept, "/"), who="a kept connection"),
        ),
    ):
        yield visits


@contextmanager
def process_list() -> Iterator[set[str]]:
    """Every command line that is seen in /proc while the block runs."""
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
