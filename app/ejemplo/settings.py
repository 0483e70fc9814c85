"""Django's settings: some come from the environment (see `environment`), the rest is fixed here."""

import os
from pathlib import Path

from ejemplo.environment import read

_environment = read(os.environ)

DEBUG = _environment.debug
ALLOWED_HOSTS = _environment.allowed_hosts
SECRET_KEY = _environment.secret_key
# Two settings of this project's own, which the page shows.
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
    # There is no form yet; this protects the first one.
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [Path(__file__).parent / "templates"],
    }
]

# Set only behind a load balancer that writes the header: otherwise a client could claim to use TLS.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _environment.behind_tls_balancer else None
# This project's own setting: all requests are https.
ONLY_HTTPS = _environment.only_https
CSRF_COOKIE_SECURE = not DEBUG
# One day: returning visitors stay on https, and a site that moves to plain http under the same name is reachable again
# after a day. Sent only in answers over https.
SECURE_HSTS_SECONDS = 86_400

SILENCED_SYSTEM_CHECKS = [
    # includeSubDomains: this site does not decide for its subdomains.
    "security.W005",
    # SSL redirect: Django's also redirects requests that bypass the balancer (a probe, `docker run`), for which there
    # is no https. middleware.HttpsRedirect redirects only what the balancer marks as http.
    "security.W008",
    # preload: browsers' built-in list, for whole registered domains; leaving it takes months.
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
        # A scanner's 404, 405 or unknown host has its line in the access log; a stack trace for each would bury the
        # errors.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}
