"""Image: the app's image, built from its Dockerfile and pushed, or pushed before."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pulumi
import pulumi_docker as docker

from infra import context, stacks, threads
from infra.pushed import Pushed, Tagged
from infra.settings import image as settings
from infra.settings.values import DIGEST


class TagTakenError(pulumi.RunError):
    """The tag belongs to another image. A RunError, so that `pulumi up` shows only its message."""


class Image(pulumi.ComponentResource):
    """The image that runs, by digest: a tag can be pushed again, and no pod would notice."""

    ref: pulumi.Output[str]
    """`<server>/<repository>@sha256:...`, known once the image is in the registry."""
    user: pulumi.Output[str | None]
    """The user that it runs as, without the group: from the Dockerfile, or else from the built image; None if neither
    is known here."""

    def __init__(
        self,
        name: str,
        *,
        build: settings.Image,
        repository: pulumi.Input[str],
        login: docker.RegistryArgsDict,
        images: pulumi.Output[Sequence[Tagged]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; another build makes it build again, a new password does not.

        `images` are those in a registry whose tags cannot move: a build with a tag that is taken is refused before it
        begins, in a preview too.
        """
        super().__init__("ejemplo-django:infra:Image", name, None, opts)

        user = pulumi.Output.from_input(build.user)
        if build.digest or build.digest_from:
            # A rollback or a promotion: nothing is built, so a broken build is not in the way.
            digest = build.digest or _digest(build.digest_from or "", opts=pulumi.ResourceOptions(parent=self))
            ref = pulumi.Output.concat(repository, "@", digest)
            pushed = Pushed(
                f"{name}-pushed",
                image=ref,
                key="image.digest" if build.digest else "image.digestFrom",
                login=login,
                digests=None if images is None else images.apply(lambda all_: [digest for _, digest in all_]),
                opts=pulumi.ResourceOptions(parent=self),
            )
            self.ref = pulumi.Output.all(ref, pushed.urn)[0]  # nothing may run it before the check
        else:
            taken = [] if images is None else [_unless_taken(name, tag=build.tag, images=images)]
            looks = [_suspects(name, build), *taken]
            hooks = pulumi.ResourceHookBinding(before_create=[*looks], before_update=[*looks])
            self.ref = docker.Image(
                f"{name}-image",
                image_name=pulumi.Output.concat(repository, ":", build.tag),
                build={
                    "context": build.context,
                    "dockerfile": build.file,
                    "platform": build.platform,
                    "args": build.args,
                    **({"target": build.target} if build.target else {}),
                },
                registry=login,
                opts=pulumi.ResourceOptions(parent=self, hooks=hooks),
            ).repo_digest
            if build.user is None:
                user = self.ref.apply(user_of)
        self.user = user  # not in the state: on another machine it may be unknown
        self.register_outputs({"ref": self.ref})


def _digest(reference: str, *, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Return the digest at the end of another stack's output."""

    def end(image: str) -> str:
        if found := re.search(rf"(?:^|@)({DIGEST})$", image):
            return found[1]
        what = "expected an image by its digest, `...@sha256:...`, or the digest alone"
        raise stacks.StackOutputError(f"image.digestFrom: found a string without a digest in {reference}, {what}.")

    return stacks.output(reference, key="image.digestFrom", opts=opts).apply(end)


async def user_of(image: str) -> str | None:
    """Return the user that a built image runs as, by asking the local daemon.

    Return None if there is no daemon, or it does not have the image. An image that names no user runs as root.
    """
    command = ["docker", "image", "inspect", "--format", "{{.Config.User}}", image]
    try:
        asked = await threads.run(subprocess.run, command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return None if asked.returncode else asked.stdout.strip().partition(":")[0] or "root"


def _unless_taken(name: str, *, tag: str, images: pulumi.Output[Sequence[Tagged]]) -> pulumi.ResourceHook:
    """Return a hook that fails if the tag is taken, once the engine has found that there is something to build."""

    async def refuse(_: pulumi.ResourceHookArgs) -> None:
        # None in a preview before the registry exists: nothing is in it yet.
        digest = dict(await images.future() or ()).get(tag)
        if digest:
            raise TagTakenError(
                f"image.tag: the image must be built, but its tag {tag} is taken: in this registry a tag never moves, "
                f"and this one names {digest}. Set image.tag to a new version or, to run the pushed image without a "
                "build, set image.digest to that digest. If nothing has changed since, the file modes differ here, by "
                "another umask: run `chmod -R go-w` on image.context."
            )

    return pulumi.ResourceHook(f"{name}-tag", refuse, pulumi.ResourceHookOptions(on_dry_run=True))


def _suspects(name: str, build: settings.Image) -> pulumi.ResourceHook:
    """Return a hook that warns of files that would end up in the image and are named like secrets."""

    async def warn(_: pulumi.ResourceHookArgs) -> None:
        found = await threads.run(context.suspects, build.context, build.file)
        if found:
            listed = ", ".join(each.encode(errors="replace").decode() for each in found)
            pulumi.log.warn(
                f"image.context: files named like secrets would end up in the image: {listed}. Exclude them in "
                f"{Path(build.context, '.dockerignore')} unless they belong there."
            )

    return pulumi.ResourceHook(f"{name}-secrets", warn, pulumi.ResourceHookOptions(on_dry_run=True))
