"""Ask a deployed site what a visitor would: by its name, over HTTPS, with its certificate verified."""

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
"""Seconds until the site must answer: a new classic balancer takes AWS one to three minutes, and its name one more."""

ROW = 5
"""Good answers one after the other: a balancer shares the visitors among the pods, and one of them may be bad."""

_TIMEOUT = 10.0
_PAUSE = 2.0
_PAGE = 1_000_000
"""Bytes of a page that are read."""

Authority = Annotated[Path | None, typer.Option(help="A PEM file of the authorities to trust.")]
Address = Annotated[str | None, typer.Option(help="Where to connect, instead of asking DNS.")]
Within = Annotated[float, typer.Option(help="Seconds until the site must answer.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is asked, and which answer is good: status 200, with the text that is expected."""

    url: str
    """It begins with https://."""
    expect: str = ""
    """A word that the page must show, such as v2; empty for none."""
    authority: Path | None = None
    """Certificates of the authorities that are trusted, in PEM; None for the machine's own."""
    address: str | None = None
    """Where to connect instead of the address that DNS gives for the name."""

    def once(self) -> str | None:
        """Ask once; the reason when the answer is not good, else None. Raises OpsError for what is no https URL."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname:
            raise OpsError(
                f"{self.url!r} was not visited.",
                "It does not begin with https://, and a visit over plain http proves nothing.",
                "Give the output `url` of the stack.",
            )
        host, port = parts.hostname, parts.port or 443
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        try:
            trusted = ssl.create_default_context(cafile=str(self.authority) if self.authority else None)
            # A connection of its own for every question, so that the balancer chooses a pod each time.
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
    """Ask until ROW answers one after the other are good. Raises OpsError when they are not `within` seconds.

    `pause` is how many seconds pass after a bad answer.
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
                f"In {within:.0f} s it never gave {ROW} good answers in a row, its certificate verified.",
                "Look at the logs of its pods: kubectl logs, for the Deployment of the stack.",
            )
        good = 0
        time.sleep(pause)


def run(
    *,
    url: Annotated[str, typer.Option(help="The site's, as the output `url` has it.")],
    expect: Annotated[str, typer.Option(help="A word that the page must show, such as its version.")] = "",
    authority: Authority = None,
    address: Address = None,
    within: Within = WITHIN,
) -> None:
    """Visit a site over HTTPS, and say why when it does not answer well."""
    check(Visit(url=url, expect=expect, authority=authority, address=address), within=within)
    print(f"{url} gave {ROW} good answers in a row, its certificate verified.")
