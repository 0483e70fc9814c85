"""The stand-in for pulumi-resource-aws."""
