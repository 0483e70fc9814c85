"""Wait for what happens by itself."""

import http.client
import time
from collections.abc import Callable
from typing import TypeVar

import dns.exception
import psutil

T = TypeVar("T")

PAUSE = 0.2
"""Seconds between two attempts."""

LONGEST = 180
"""Seconds of waiting in vain. It is a multiple of what any of this takes: the machine may be busy."""


def eventually(look: Callable[[], T]) -> T:
    """Call `look` until it succeeds, and return its result. Raises its last error after LONGEST seconds."""
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            return look()
        except (AssertionError, OSError, psutil.Error, http.client.HTTPException, dns.exception.DNSException):
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)
