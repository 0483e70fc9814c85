"""Visit a deployed site like a browser: by its name, over HTTPS, with its certificate verified."""

import html
import http.client
import re
import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from ops.command import OpsError

WITHIN = 300.0
"""Seconds within which the site must answer. A new classic load balancer takes 1 to 3 minutes, its DNS name 1 more."""

ROW = 5
"""Good answers required in a row: the load balancer spreads requests over the pods, and one of them may be bad."""

_TIMEOUT = 10.0
_PAUSE = 2.0
_PAGE = 1_000_000
"""Bytes read of a page."""

Authority = Annotated[Path | None, typer.Option(help="PEM file of the certificate authorities to trust.")]
Address = Annotated[str | None, typer.Option(help="Connect to this address instead of looking the host up in DNS.")]
Within = Annotated[float, typer.Option(help="Seconds within which the site must answer.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request and its good answer: status 200, with the expected text."""

    url: str
    """Begins with https://."""
    expect: str = ""
    """A word that the page must show, such as v2; empty for none."""
    authority: Path | None = None
    """PEM file of the trusted authorities; None for the system's."""
    address: str | None = None
    """The address to connect to; None to look the host up in DNS."""

    def once(self) -> str | None:
        """Send one request; return None for a good answer, else the reason. Raises OpsError for a non-https URL."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname:
            raise OpsError(
                f"{self.url!r} was not visited.",
                "The URL does not begin with https://; a visit over plain http does not check the certificate.",
                "Pass the stack's output `url`.",
            )
        host, port = parts.hostname, parts.port or 443
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        try:
            trusted = ssl.create_default_context(cafile=str(self.authority) if self.authority else None)
            # A new connection for each request, so that the load balancer picks a pod each time.
            plain = socket.create_connection((self.address or host, port), timeout=_TIMEOUT)
            connection.sock = trusted.wrap_socket(plain, server_hostname=host)
            connection.request("GET", parts.path or "/", headers={"Host": parts.netloc, "Connection": "close"})
            answer = connection.getresponse()
            page = html.unescape(answer.read(_PAGE).decode(errors="replace"))
        except (http.client.HTTPException, OSError) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()
        if answer.status != 200:
            return f"it answered {answer.status} {answer.reason}"
        if self.expect and not re.search(rf"(?<![\w.]){re.escape(self.expect)}(?![\w.])", page):
            return f"the page does not show {self.expect!r}"
        return None


def check(visit: Visit, *, within: float = WITHIN, pause: float = _PAUSE) -> None:
    """Wait for ROW good answers in a row. Raises OpsError when there are none `within` seconds.

    `pause` is the number of seconds to wait after a bad answer.
    """
    deadline = time.monotonic() + within
    good = 0
    while good < ROW:
        reason = visit.once()
        if reason is None:
            good += 1
            continue
        if time.monotonic() + pause > deadline:
            raise OpsError(
                f"{visit.url} is not well: {reason}.",
                f"Within {within:.0f} s it did not give {ROW} good answers in a row with a verified certificate.",
                "Read the logs of its pods: kubectl logs, for the stack's Deployment.",
            )
        good = 0
        time.sleep(pause)


def run(
    *,
    url: Annotated[str, typer.Option(help="The site's URL: the stack's output `url`.")],
    expect: Annotated[str, typer.Option(help="A word that the page must show, such as its version.")] = "",
    authority: Authority = None,
    address: Address = None,
    within: Within = WITHIN,
) -> None:
    """Visit a site over HTTPS; fail with the reason when it does not answer well."""
    check(Visit(url=url, expect=expect, authority=authority, address=address), within=within)
    print(f"{url} gave {ROW} good answers in a row, its certificate verified.")
