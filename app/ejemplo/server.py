"""What gunicorn's settings cannot do; gunicorn.conf.py refers to both classes."""

from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # likewise


class SiteWorker(ThreadWorker):  # type: ignore[misc]  # likewise
    """A threaded worker that closes its port as soon as it begins to stop.

    gunicorn's own worker keeps the port open, but does not serve it, until its last request has ended: new clients wait
    in the kernel's queue and are cut off at the end. When refused at once, a load balancer uses another pod.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections or stop to; gunicorn calls this last when it is stopping."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()


class SiteLogger(Logger):  # type: ignore[misc]  # likewise
    """A logger that writes the path as it was sent: a decoded newline could forge a line of the log."""

    def atoms(self, *args: Any) -> dict[str, Any]:
        """Return the values of an access log line; the arguments are gunicorn's own."""
        atoms: dict[str, Any] = super().atoms(*args)
        # WSGI has the path's bytes as latin-1 text.
        atoms["U"] = quote(atoms["U"], encoding="latin-1")
        return atoms
