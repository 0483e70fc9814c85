"""The stand-in for pulumi-resource-docker."""
