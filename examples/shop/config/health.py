"""The answer to probes."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class Health:
    """Answers /healthz before any other middleware: probes use plain http and must not be redirected."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Take the next handler."""
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass on."""
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        return self._get_response(request)
