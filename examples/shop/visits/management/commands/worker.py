"""The worker."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from visits.models import Visit


class Command(BaseCommand):
    """Counts visits as they arrive, until SIGTERM."""

    help = __doc__

    def handle(self, **options: Any) -> None:
        """Count visits from the queue; finish the current batch before the end."""
        stop = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
        while not stop.is_set():
            if not count():
                stop.wait(1)
        self.stdout.write("stopped with nothing half done")


def count() -> int:
    """Count up to 100 visits, and return how many. Other workers count other visits at the same time."""
    with transaction.atomic():
        waiting = Visit.objects.select_for_update(skip_locked=True).filter(counted=False)[:100]
        return Visit.objects.filter(pk__in=[each.pk for each in waiting]).update(counted=True)
