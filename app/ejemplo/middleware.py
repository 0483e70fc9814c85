"""Middleware for load balancers that terminate TLS: one for http and https, and one for https only."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.request import split_domain_port

from ejemplo.urls import PROBES


class HttpsRedirect:
    """Redirects to https, with status 301, when X-Forwarded-Proto says that the request came by http.

    A request without the header did not come through the balancer (a probe, `docker run`) and is served: there may be
    no https to redirect to. Probes are never redirected. Unused, so that the header is ignored, unless
    BEHIND_TLS_BALANCER is set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Take the next handler. Raises MiddlewareNotUsed unless BEHIND_TLS_BALANCER is set."""
        if not settings.SECURE_PROXY_SSL_HEADER:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Redirect or pass on. Raises DisallowedHost, a 400, instead of redirecting to another host."""
        if request.headers.get("X-Forwarded-Proto") != "http" or request.path in PROBES:
            return self._get_response(request)
        # Drop the port, which is http's.
        host, _ = split_domain_port(request.get_host())
        return HttpResponsePermanentRedirect(f"https://{host}{request.get_full_path()}")


class OnlyHttps:
    """Marks every request as https, which it was before the balancer terminated TLS. Ignores all headers.

    Unused unless ONLY_HTTPS is set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Take the next handler. Raises MiddlewareNotUsed unless ONLY_HTTPS is set."""
        if not settings.ONLY_HTTPS:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set the URL scheme, as a server that terminates TLS does, and pass on."""
        request.META["wsgi.url_scheme"] = "https"
        return self._get_response(request)
