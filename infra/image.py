"""Image: the app, built from its Dockerfile and pushed to the registry, or one that was pushed before."""

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker

from infra.settings import image as settings


class TagTakenError(pulumi.RunError):
    """The image's tag is another image's, for ever. A RunError, so that its message is all that `pulumi up` shows."""


class Image(pulumi.ComponentResource):
    """What runs, named by digest: a tag can be pushed anew, and no pod would notice."""

    ref: pulumi.Output[str]
    """`<server>/<repository>@sha256:...`, known once it is in the registry."""

    def __init__(
        self,
        name: str,
        *,
        build: settings.Image,
        repository: pulumi.Input[str],
        login: docker.RegistryArgsDict,
        tags: pulumi.Output[Mapping[str, str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; it is built again when its build changes, not for a new password.

        `tags` are those in the registry that can name no other image any more, each with its image's digest: a
        build that would be pushed under one of them is refused before it begins, in a preview too.
        """
        super().__init__("ejemplo-django:infra:Image", name, None, opts)

        if build.digest:
            # The way back to what ran before: nothing is built, so nothing that broke the build is in the way.
            self.ref = pulumi.Output.concat(repository, "@", build.digest)
        else:
            hooks = None if tags is None else _unless_taken(name, tag=build.tag, tags=tags)
            self.ref = docker.Image(
                f"{name}-image",
                image_name=pulumi.Output.concat(repository, ":", build.tag),
                build={
                    "context": build.context,
                    "platform": build.platform,
                    "args": {"BASE_IMAGE": build.base},
                },
                registry=login,
                opts=pulumi.ResourceOptions(parent=self, hooks=hooks),
            ).repo_digest
        self.register_outputs({"ref": self.ref})


def _unless_taken(name: str, *, tag: str, tags: pulumi.Output[Mapping[str, str]]) -> pulumi.ResourceHookBinding:
    """Fail when the tag is taken, once the engine has found that there is something to build."""

    async def refuse(_: pulumi.ResourceHookArgs) -> None:
        # None in the preview that is to make the registry: nothing is in it yet.
        digest = (await tags.future() or {}).get(tag)
        if digest:
            raise TagTakenError(
                f"The image is to be built, but its tag {tag} is taken: the registry keeps a tag for the image that "
                f"was pushed with it, here {digest}. Set image.tag to a new version; or, to run the image that has "
                "the tag and build nothing, set image.digest to that digest."
            )

    hook = pulumi.ResourceHook(f"{name}-tag", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])
