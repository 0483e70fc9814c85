"""The report."""

from typing import Any

from django.core.management.base import BaseCommand

from visits.models import Report, Visit


class Command(BaseCommand):
    """Stores the number of visits counted so far."""

    help = __doc__

    def handle(self, **options: Any) -> None:
        """Store a report and print it."""
        report = Report.objects.create(visits=Visit.objects.filter(counted=True).count())
        self.stdout.write(f"{report.visits} visits")
