"""The site's three URLs."""

from django.urls import path

from ejemplo import views

PROBES = frozenset({"/healthz", "/readyz"})
"""The paths of probes, which kubelets and load balancers request over plain http."""

urlpatterns = [
    path("", views.page),
    path("healthz", views.healthz),
    path("readyz", views.readyz),
]
