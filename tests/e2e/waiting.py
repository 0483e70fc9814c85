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


def eventually(look: Callable[[], T], *, within: float) -> T:
    """Call `look` until it succeeds, and return its result. Raises its last error after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            return look()
        except (AssertionError, OSError, psutil.Error, http.client.HTTPException, dns.exception.DNSException):
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)
