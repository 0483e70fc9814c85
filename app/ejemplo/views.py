"""The page and the two probes. All of them only read, and answer 405 to any method but GET and HEAD."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

# csrf_exempt, on views that refuse every method CSRF is about: without it a POST would be told that it
# lacks a token (403), and not that it cannot be (405).


@csrf_exempt
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Show the version and the pod that answered, which may be another one for the next request."""
    return HttpResponse(_page())


@csrf_exempt
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that the process lives: it took a request and answers."""
    return HttpResponse("alive\n", content_type="text/plain")


@csrf_exempt
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Say that this pod can serve, by doing what a visitor would ask of it.

    A page that cannot be made is logged and answered with 500, which is not ready. Nothing here speaks
    of a pod that is stopping: gunicorn closes its port as soon as it is told to stop.
    """
    _page()
    return HttpResponse("ready\n", content_type="text/plain")


def _page() -> str:
    return render_to_string("page.html", {"version": settings.VERSION, "pod": settings.POD_NAME})
