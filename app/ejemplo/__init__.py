"""The Django project: one page that shows the version and the pod that answered, and two probes."""
