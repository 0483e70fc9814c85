"""The one place that knows what the environment may say, and refuses what it may not."""

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
# What Django compares with the Host header: a name or an address without a port, ".name" for a name
# and all beneath it, "*" for any, an IPv6 address in brackets.
_HOST = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the environment decides, read and checked."""

    debug: bool
    """DEBUG: Django's pages for developers, instead of plain errors. Default: false."""
    allowed_hosts: list[str]
    """ALLOWED_HOSTS: the hosts this site answers to, separated by commas. Needed unless `debug`,
    where none means the local machine's own names."""
    secret_key: str = field(repr=False)
    """SECRET_KEY: what Django signs with. Needed unless `debug`, where none means a new one each time."""
    behind_tls_balancer: bool
    """BEHIND_TLS_BALANCER: whether a balancer that ends TLS, and that sets X-Forwarded-Proto on every
    request, is the only way in. Default: false. Without such a balancer any client could set the header."""
    only_https: bool
    """ONLY_HTTPS: whether nothing but https leads here, so that every request counts as https, whatever its headers
    say. Default: false. Not together with BEHIND_TLS_BALANCER, which trusts a header."""
    version: str
    """VERSION: the version the page shows. Default: "unversioned"."""
    pod_name: str
    """POD_NAME: the name of what answers, which the page shows. Default: the host's name."""


def read(variables: Mapping[str, str]) -> Environment:
    """Read the settings from environment variables.

    Raises ImproperlyConfigured, naming the variable, for a value that is not allowed or is missing.
    """
    debug = _boolean(variables, "DEBUG")
    behind_tls_balancer, only_https = _boolean(variables, "BEHIND_TLS_BALANCER"), _boolean(variables, "ONLY_HTTPS")
    if behind_tls_balancer and only_https:
        raise ImproperlyConfigured(
            "BEHIND_TLS_BALANCER and ONLY_HTTPS are both set: by the first X-Forwarded-Proto tells http from https, by "
            "the second there is only https. Set the one that is true of the balancer."
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
            f"{name} is {text!r}, which says neither yes nor no. "
            f"Set it to one of: {', '.join(_BOOLEANS)} (in upper or lower case)."
        )
    return _BOOLEANS[text.lower()]


def _hosts(variables: Mapping[str, str], name: str, *, may_be_empty: bool) -> list[str]:
    hosts = [host.strip() for host in variables.get(name, "").split(",") if host.strip()]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"{name} contains {host!r}, which is not a host. Write hosts separated by commas, "
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
