"""What runs in the machine: a module per service, or per group of services that belong together.

Each has `services(layout)`: command lines, configuration files, and how one sees that they are healthy.
"""
