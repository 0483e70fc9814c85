"""The stand-in for pulumi-resource-docker: images, and nothing else."""
