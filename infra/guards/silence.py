"""Warn when AWS does not answer: its provider retries for minutes, and `up` would show nothing meanwhile."""

import asyncio
import contextvars
import ssl
import threading
import time
import urllib.error
import urllib.request

import pulumi

from infra.settings.aws import Aws

_EVERY = 6
"""Seconds between two checks; most runs end before the first."""
_TIMEOUT = 5
"""Seconds to wait for an answer; AWS needs far less."""


def watch(settings: Aws) -> None:
    """Warn once if AWS does not answer while the program runs. A slow operation is no reason to warn."""
    run, loop = contextvars.copy_context().run, asyncio.get_running_loop()
    threading.Thread(target=run, args=(_watch, settings, loop), name="silence", daemon=True).start()


def _watch(settings: Aws, loop: asyncio.AbstractEventLoop) -> None:
    while True:
        time.sleep(_EVERY)
        if not loop.is_running():  # the program is over
            return
        if silent := _silent(settings):
            pulumi.log.warn(
                f"{'aws.endpoint' if settings.endpoint else 'AWS'} does not answer: {silent}. The run "
                "goes on once it does; Ctrl-C ends it. A firewall, a VPN or a proxy may be in between."
            )
            return


def _silent(settings: Aws) -> object:
    """Send a request without credentials; return why there was no answer, or None."""
    domain = "amazonaws.com.cn" if settings.region.startswith("cn-") else "amazonaws.com"
    url = settings.endpoint or f"https://sts.{settings.region}.{domain}/"
    try:
        # urllib knows proxies and loads fast.
        with urllib.request.urlopen(url, timeout=_TIMEOUT):  # noqa: S310  the settings allow only http and https
            return None
    except urllib.error.HTTPError:  # a refusal is an answer
        return None
    except OSError as error:
        reason = getattr(error, "reason", error)
        return None if isinstance(reason, ssl.SSLError) else f"{url}: {reason}"
