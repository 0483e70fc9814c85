"""Namespace: the namespace of the stack's objects."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.settings import namespace as settings


class Namespace(pulumi.ComponentResource):
    """A namespace: created by the program and marked as this stack's, or an existing one.

    For an existing one, it declares nothing.
    """

    name: pulumi.Output[str]
    """The namespace's name."""

    def __init__(
        self,
        name: str,
        *,
        settings: settings.Namespace,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; unless protected, a created namespace is deleted with all that is left in it."""
        super().__init__("ejemplo-django:infra:Namespace", name, None, opts)

        self.name = pulumi.Output.from_input(settings.name)
        if not settings.existing:
            made = kubernetes.core.v1.Namespace(
                f"{name}-namespace",
                metadata={"name": settings.name},
                opts=pulumi.ResourceOptions(parent=self, protect=protect),
            )
            self.name = made.metadata.name
        self.register_outputs({"name": self.name})
