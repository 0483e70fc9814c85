"""Image: the app, built from its Dockerfile and pushed to the registry."""

import pulumi
import pulumi_docker as docker

from infra import config


class Image(pulumi.ComponentResource):
    """What runs, named by digest: a tag can be pushed anew, and no pod would notice."""

    ref: pulumi.Output[str]
    """`<server>/<repository>@sha256:...`, known once it is in the registry."""

    def __init__(
        self,
        name: str,
        *,
        build: config.Image,
        registry: config.Registry,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; it is built again when its build changes, not for a new password."""
        super().__init__("ejemplo-django:infra:Image", name, None, opts)

        image = docker.Image(
            f"{name}-image",
            image_name=f"{registry.server}/{build.repository}:{build.tag}",
            build={
                "context": build.context,
                "platform": build.platform,
                "args": {"BASE_IMAGE": build.base},
            },
            registry={
                "server": registry.server,
                "username": registry.username,
                "password": registry.password,
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.ref = image.repo_digest
        self.register_outputs({"ref": self.ref})
