"""A site for the test of stopping: it begins an answer and ends it when the client sends its body.

Served by the real gunicorn under the real gunicorn.conf.py in place of `ejemplo.wsgi`.
"""

from collections.abc import Callable, Iterator
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterator[bytes]:
    """Answer "begun " at once, and then the request's body, for which it waits if it has a length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun "
    yield environ["wsgi.input"].read()
