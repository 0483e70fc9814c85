"""Ask a deployed site what a visitor would: by its name, over HTTPS, with its certificate verified."""

import html
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import urllib3

from ops.errors import OpsError

WITHIN = 300.0
"""Seconds until the site must answer: a new classic balancer takes AWS one to three minutes, and its name one more."""

ROW = 5
"""Good answers one after the other: a balancer shares the visitors among the pods, and one of them may be bad."""

_VERSION = re.compile(r'id="version">([^<]*)<')
_TIMEOUT = 10.0
_PAUSE = 2.0

Version = Annotated[str | None, typer.Option(help="What the page must show.")]
Authority = Annotated[Path | None, typer.Option(help="A PEM file of the authorities to trust.")]
Address = Annotated[str | None, typer.Option(help="Where to connect, instead of asking DNS.")]
Within = Annotated[float, typer.Option(help="Seconds until the site must answer.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What is asked, and which answer is good: status 200, of the version that was deployed."""

    url: str
    """It begins with https://."""
    version: str | None = None
    """What the page must show; None for any."""
    authority: Path | None = None
    """Certificates of the authorities that are trusted, in PEM; None for the machine's own."""
    address: str | None = None
    """Where to connect instead of the address that DNS gives for the name."""

    def once(self) -> str | None:
        """Ask once; the reason when the answer is not good, else None. Raises OpsError for what is no https URL."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname:
            raise OpsError(
                f"{self.url!r} is no URL that begins with https://: a smoke test over plain http proves nothing."
            )
        # A connection of its own for every question, so that the balancer chooses a pod each time.
        pool = urllib3.HTTPSConnectionPool(
            self.address or parts.hostname,
            parts.port or 443,
            server_hostname=parts.hostname,
            ca_certs=str(self.authority) if self.authority else None,
            cert_reqs="CERT_REQUIRED",
            timeout=_TIMEOUT,
            retries=False,
        )
        try:
            answer = pool.request(
                "GET", parts.path or "/", headers={"Host": parts.netloc, "Connection": "close"}, redirect=False
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return str(error) or type(error).__name__
        finally:
            pool.close()
        if answer.status != 200:
            return f"it answered {answer.status} {answer.reason}"
        shown = _VERSION.search(answer.data.decode(errors="replace"))
        if self.version is not None and (shown is None or html.unescape(shown[1]) != self.version):
            return f"the page shows version {html.unescape(shown[1])!r}" if shown else "the page shows no version"
        return None


def check(visit: Visit, *, within: float = WITHIN, row: int = ROW, pause: float = _PAUSE) -> None:
    """Ask until `row` answers one after the other are good. Raises OpsError when they are not `within` seconds.

    `pause` is how long, in seconds, a bad answer is thought over.
    """
    deadline = time.monotonic() + within
    good = 0
    while good < row:
        reason = visit.once()
        if reason is None:
            good += 1
            continue
        if time.monotonic() + pause > deadline:
            wanted = f" with version {visit.version!r}" if visit.version is not None else ""
            raise OpsError(
                f"{visit.url} failed the smoke test: {reason}. In {within:.0f} s it never answered {row} times running "
                f"with 200{wanted} and a certificate that verifies."
            )
        good = 0
        time.sleep(pause)


def run(
    *,
    url: Annotated[str, typer.Option(help="The site's, as the output `url` has it.")],
    expect_version: Version = None,
    authority: Authority = None,
    address: Address = None,
    within: Within = WITHIN,
) -> None:
    """Visit a site over HTTPS, and say why when it does not answer well."""
    check(Visit(url=url, version=expect_version, authority=authority, address=address), within=within)
    print(f"{url} answers {ROW} times in a row, its certificate verified.")
