"""The machine: its Debian packages, its namespaces, its supervisor, and the order of its start."""
