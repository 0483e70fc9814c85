"""Stand-ins for plugins that are on no package registry: docker, and the Python language host."""
