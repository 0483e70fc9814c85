"""The page."""

import socket

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from visits.models import Report, Visit


@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Record the visit, and show how many were counted."""
    Visit.objects.create()
    shown = {
        "title": settings.TITLE,
        "waiting": Visit.objects.filter(counted=False).count(),
        "counted": Visit.objects.filter(counted=True).count(),
        "report": Report.objects.order_by("at").last(),
        "pod": socket.gethostname(),
    }
    return render(request, "visits/page.html", shown)
