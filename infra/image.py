"""Image: the app, built from its Dockerfile and pushed to the registry, or one that was pushed before."""

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

        repository = f"{registry.server}/{build.repository}"
        if build.digest:
            # The way back to what ran before: nothing is built, so nothing that broke the build is in the way.
            self.ref = pulumi.Output.from_input(f"{repository}@{build.digest}")
        else:
            self.ref = docker.Image(
                f"{name}-image",
                image_name=f"{repository}:{build.tag}",
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
            ).repo_digest
        self.register_outputs({"ref": self.ref})
