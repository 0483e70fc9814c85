"""What the site makes of a balancer that ends TLS: one that tells http from https, and one that takes only https."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.request import split_domain_port

from ejemplo.urls import PROBES


class HttpsRedirect:
    """Answers 301 to the same address on https when the balancer says that the request came by http.

    A request without X-Forwarded-Proto did not come through the balancer (a probe, `docker run`) and is
    served: there may be no https to send it to. The probes are never redirected, whatever the header.
    Unused, so that the header means nothing, unless BEHIND_TLS_BALANCER is set.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Take the next handler; raises MiddlewareNotUsed where no balancer is trusted."""
        if not settings.SECURE_PROXY_SSL_HEADER:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Redirect or pass on; raises DisallowedHost, a 400, rather than redirect to a host not ours."""
        if request.headers.get("X-Forwarded-Proto") != "http" or request.path in PROBES:
            return self._get_response(request)
        # The port, if any, is the one of http: https is on its own.
        host, _ = split_domain_port(request.get_host())
        return HttpResponsePermanentRedirect(f"https://{host}{request.get_full_path()}")


class OnlyHttps:
    """Has Django take every request for one by https, as it was before the balancer took TLS off it.

    Unused unless ONLY_HTTPS is set. No header has a say in it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Take the next handler; raises MiddlewareNotUsed where requests come by http as well."""
        if not settings.ONLY_HTTPS:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set what a server that ends TLS itself would set, and pass on."""
        request.META["wsgi.url_scheme"] = "https"
        return self._get_response(request)
