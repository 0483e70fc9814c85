"""The page and the two probes. They only read, and answer 405 to any method but GET and HEAD."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

# csrf_exempt: these views refuse every method that CSRF protects. Without it a POST would get a 403 for the missing
# token instead of a 405.


@csrf_exempt
@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Show the version and the pod that answered; the next request may reach another pod."""
    return HttpResponse(_page())


@csrf_exempt
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer that the process is alive."""
    return HttpResponse("alive\n", content_type="text/plain")


@csrf_exempt
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer that this pod can serve, after rendering the page like a visit.

    A page that cannot be rendered is logged and answered with 500, which is not ready. A pod that is stopping needs no
    answer: gunicorn closes its port at once.
    """
    _page()
    return HttpResponse("ready\n", content_type="text/plain")


def _page() -> str:
    return render_to_string("page.html", {"version": settings.VERSION, "pod": settings.POD_NAME})
