"""Waiting for what comes about by itself."""

import http.client
import time
from collections.abc import Callable
from typing import TypeVar

import dns.exception
import psutil

T = TypeVar("T")

PAUSE = 0.2
"""Seconds between two looks."""


def eventually(look: Callable[[], T], *, within: float) -> T:
    """What `look` gives once it raises nothing; its last error if that takes longer than `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        try:
            return look()
        except (AssertionError, OSError, psutil.Error, http.client.HTTPException, dns.exception.DNSException):
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE)
