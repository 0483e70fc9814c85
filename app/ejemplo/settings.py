"""Django's settings: what the environment decides comes from `environment`, the rest is fixed here."""

import os
from pathlib import Path

from ejemplo.environment import read

_environment = read(os.environ)

DEBUG = _environment.debug
ALLOWED_HOSTS = _environment.allowed_hosts
SECRET_KEY = _environment.secret_key
# This project's own two settings, which the page shows.
VERSION = _environment.version
POD_NAME = _environment.pod_name

ROOT_URLCONF = "ejemplo.urls"
USE_I18N = False
TIME_ZONE = "UTC"

# No database, no sessions, no admin: nothing here needs them.
INSTALLED_APPS: list[str] = []
MIDDLEWARE = [
    "ejemplo.middleware.OnlyHttps",
    "django.middleware.security.SecurityMiddleware",
    "ejemplo.middleware.HttpsRedirect",
    # Refuses a host that is not in ALLOWED_HOSTS, for every path.
    "django.middleware.common.CommonMiddleware",
    # Nothing takes a form yet; here so that the first form is not the one without protection.
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]

# Set only where a balancer writes the header itself: anywhere else a client could claim to be on TLS.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _environment.behind_tls_balancer else None
# This project's own: nothing but https leads here, so nobody has to say it.
ONLY_HTTPS = _environment.only_https
CSRF_COOKIE_SECURE = not DEBUG
# A day: a visitor who comes back is kept on https, and a site that was taken down, or is served without
# TLS under the same name, is reachable again the day after. Sent only with answers to https.
SECURE_HSTS_SECONDS = 86_400

SILENCED_SYSTEM_CHECKS = [
    # includeSubDomains: hosts beneath this one are not this site's to speak for.
    "security.W005",
    # Django's redirect also moves a request that came past the balancer (a probe, `docker run`) to an
    # https that nothing serves. middleware.HttpsRedirect redirects what the balancer says came by http.
    "security.W008",
    # preload: a list kept inside browsers, for whole registered domains; leaving it takes months.
    "security.W021",
]

# Django's default shows errors only while DEBUG is on. Here they always go to stderr.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO"},
        # A scanner's 404, 405 or unknown host is the access log's business, one line each; a stack
        # trace for each would bury the errors.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
