"""Who has the last word on an object in the cluster."""

OURS = {"pulumi.com/patchForce": "true"}
"""The annotation of the objects that are this program's alone: what it declares of them it sets, whoever set it since.

Without it the API server refuses every later change of an object of which `kubectl scale`, or another client by
server-side apply, has set a declared field. What the program does not declare stays as it is
(https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/). Never on
a Secret: with it, one of the same name that somebody else made would be overwritten."""
