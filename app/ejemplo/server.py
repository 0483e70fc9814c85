"""What this project needs of gunicorn that its settings cannot say; gunicorn.conf.py names both classes."""

from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # gunicorn carries no types
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]  # likewise


class SiteWorker(ThreadWorker):  # type: ignore[misc]  # likewise
    """A threaded worker that closes its port when it begins to stop.

    gunicorn's own keeps it open, unserved, until its last request has ended: whoever connects meanwhile
    waits in the kernel's queue and is cut off at the end. Refused at once, a balancer asks another pod.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take connections or take no more; gunicorn calls this last when it was told to stop."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()


class SiteLogger(Logger):  # type: ignore[misc]  # likewise
    """A logger that writes the path as it was sent: decoded, it could hold a newline and forge a line."""

    def atoms(self, *args: Any) -> dict[str, Any]:
        """Return the values of an access log line; the arguments are gunicorn's own."""
        atoms: dict[str, Any] = super().atoms(*args)
        # WSGI carries the path's bytes as latin-1 text.
        atoms["U"] = quote(atoms["U"], encoding="latin-1")
        return atoms
