"""The stand-ins for the plugins that no package registry serves: docker, and the Python language host."""
