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

from ops.errors import OpsError

WITHIN = 300.0
"""Seconds until the site must answer: a new classic balancer takes AWS one to three minutes, and its name one more."""

ROW = 5
"""Good answers one after the other: a balancer shares the visitors among the pods, and one of them may be bad."""

_VERSION = re.compile(r'id="version">([^<]*)<')
_TIMEOUT = 10.0
_PAUSE = 2.0


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
        try:
            trusted = ssl.create_default_context(cafile=self.authority)
            with (
                socket.create_connection(
                    (self.address or parts.hostname, parts.port or 443), timeout=_TIMEOUT
                ) as plain,
                trusted.wrap_socket(plain, server_hostname=parts.hostname) as secure,
            ):
                connection = http.client.HTTPSConnection(parts.hostname, parts.port)
                connection.sock = secure
                connection.request("GET", parts.path or "/", headers={"Connection": "close"})
                answer = connection.getresponse()
                page = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        if answer.status != http.HTTPStatus.OK:
            return f"it answered {answer.status} {answer.reason}"
        shown = _VERSION.search(page)
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


def way_back(*, stack: str, image: str | None) -> list[str]:
    """What to type to run the image of before again; `image` is a reference by digest, None when there was none."""
    digest = (image or "").partition("@")[2]
    if not digest:
        return []
    return [f"pulumi config set --stack {stack} --path image.digest {digest}", f"pulumi up --stack {stack}"]


def run(
    *,
    url: Annotated[str, typer.Option(help="The site's, as the output `url` has it.")],
    expect_version: Annotated[str | None, typer.Option(help="What the page must show.")] = None,
    authority: Annotated[Path | None, typer.Option(help="A PEM file of the authorities to trust.")] = None,
    address: Annotated[str | None, typer.Option(help="Where to connect, instead of asking DNS.")] = None,
    within: Annotated[float, typer.Option(help="Seconds until it must answer.")] = WITHIN,
    stack: Annotated[str, typer.Option(help="The stack, for the way back that a failure names.")] = "dev",
    previous: Annotated[str | None, typer.Option(help="The image that ran before, by digest.")] = None,
) -> None:
    """Visit a site over HTTPS; when it fails, say why and what brings the image of before back."""
    visit = Visit(url=url, version=expect_version, authority=authority, address=address)
    try:
        check(visit, within=within)
    except OpsError as error:
        back = way_back(stack=stack, image=previous)
        raise OpsError(f"{error} The way back: {'; '.join(back)}." if back else str(error)) from error
    print(f"{url} answers {ROW} times in a row, its certificate verified.")
