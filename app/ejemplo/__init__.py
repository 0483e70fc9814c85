"""The Django project: one page that says which version and which pod answered, and two probes."""
