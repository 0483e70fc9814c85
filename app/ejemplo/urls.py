"""The site's three addresses."""

from django.urls import path

from ejemplo import views

PROBES = frozenset({"/healthz", "/readyz"})
"""The paths that kubelets and balancers ask, over plain http and from inside."""

urlpatterns = [
    path("", views.page),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
]
