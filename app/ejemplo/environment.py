"""Read and validate the settings in the environment."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}
# Django's form of a host: a name or an address without a port, ".name" for a name and its subdomains, "*" for any,
# an IPv6 address in brackets.
_HOST = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The validated settings."""

    debug: bool
    """DEBUG: Django's pages for developers, instead of plain errors. Default: false."""
    allowed_hosts: list[str]
    """ALLOWED_HOSTS: the hosts this site answers to, separated by commas. Required unless `debug`, where the default is
    the local machine's names."""
    secret_key: str = field(repr=False)
    """SECRET_KEY: Django's signing key. Required unless `debug`, where the default is a new one at each start."""
    behind_tls_balancer: bool
    """BEHIND_TLS_BALANCER: whether all requests come through a load balancer that terminates TLS and sets
    X-Forwarded-Proto. Default: false. Without such a balancer any client could set the header."""
    only_https: bool
    """ONLY_HTTPS: whether all requests come by https, whatever their headers. Default: false. It excludes
    BEHIND_TLS_BALANCER, which trusts a header."""
    version: str
    """VERSION: the version the page shows. Default: "unversioned"."""
    pod_name: str
    """POD_NAME: the pod's name, which the page shows. Default: the host's name."""


def read(variables: Mapping[str, str]) -> Environment:
    """Return the settings from environment variables.

    Raises ImproperlyConfigured, with the variable's name, for an invalid or missing value.
    """
    debug = _boolean(variables, "DEBUG")
    behind_tls_balancer, only_https = _boolean(variables, "BEHIND_TLS_BALANCER"), _boolean(variables, "ONLY_HTTPS")
    if behind_tls_balancer and only_https:
        raise ImproperlyConfigured(
            "BEHIND_TLS_BALANCER and ONLY_HTTPS are both set: with the first X-Forwarded-Proto tells http from https, "
            "with the second all requests are https. Set the one that fits the load balancer."
        )
    return Environment(
        debug=debug,
        allowed_hosts=_hosts(variables, "ALLOWED_HOSTS", may_be_empty=debug),
        secret_key=_secret_key(variables, "SECRET_KEY", may_be_missing=debug),
        behind_tls_balancer=behind_tls_balancer,
        only_https=only_https,
        version=variables.get("VERSION") or "unversioned",
        pod_name=variables.get("POD_NAME") or socket.gethostname(),
    )


def _boolean(variables: Mapping[str, str], name: str) -> bool:
    text = variables.get(name, "false")
    if text.lower() not in _BOOLEANS:
        raise ImproperlyConfigured(
            f"{name}: found {text!r}, expected one of: {', '.join(_BOOLEANS)} (in upper or lower case)."
        )
    return _BOOLEANS[text.lower()]


def _hosts(variables: Mapping[str, str], name: str, *, may_be_empty: bool) -> list[str]:
    hosts = [host.strip() for host in variables.get(name, "").split(",") if host.strip()]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name}: found {host!r}, expected hosts separated by commas, "
                "without scheme, port or path, such as: www.example.com,.example.org"
            )
    if not hosts and not may_be_empty:
        raise ImproperlyConfigured(
            f"{name} is not set, so every request would be refused. Set it to the site's hosts, "
            "separated by commas, or set DEBUG=True to try the site on this machine."
        )
    return hosts


def _secret_key(variables: Mapping[str, str], name: str, *, may_be_missing: bool) -> str:
    key = variables.get(name, "")
    if not key and not may_be_missing:
        raise ImproperlyConfigured(
            f"{name} is not set. Give the site a long random text, kept as a secret and the same in every "
            "pod and after every restart, or set DEBUG=True to try the site on this machine."
        )
    return key or get_random_secret_key()
