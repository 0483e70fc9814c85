"""Visits: recorded by the page, counted by the worker, reported by the schedule."""
