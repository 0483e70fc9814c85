"""The services of the machine, a module for each or for a group of them.

The function `services(layout)` of each returns their command lines, configuration and health checks.
"""
