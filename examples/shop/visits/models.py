"""The tables."""

from django.db import models


class Visit(models.Model):
    """A visit to the page. Uncounted visits are the worker's queue."""

    at = models.DateTimeField(auto_now_add=True)
    counted = models.BooleanField(default=False, db_index=True)


class Report(models.Model):
    """The number of visits counted until a time."""

    at = models.DateTimeField(auto_now_add=True)
    visits = models.IntegerField()
