"""A site for the shutdown test: it starts a response, and ends it once the client has sent its request body.

The real gunicorn serves it with the real gunicorn.conf.py in place of `ejemplo.wsgi`.
"""

from collections.abc import Callable, Iterator
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterator[bytes]:
    """Send "begun " at once, then the request's body; wait for the body if it has a length."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun "
    yield environ["wsgi.input"].read()
