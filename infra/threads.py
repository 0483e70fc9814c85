"""Threads for what a hook or a resource has to wait for."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def run(function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call a function in a thread of its own, with this context; return what it returns.

    Not in the event loop's own threads, as `asyncio.to_thread`: each resource that registers holds one of those until
    the engine answers, and the engine waits for the hook.
    """
    thread = ThreadPoolExecutor(max_workers=1)
    try:
        call = partial(contextvars.copy_context().run, function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(thread, call)
    finally:
        thread.shutdown(wait=False)
