"""The `image` section: what to build, and its name in the registry."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator

from infra import dockerfile
from infra.dockerfile import Stage
from infra.settings.problems import one_of
from infra.settings.section import Section, expected, facts, must, refused
from infra.settings.values import DIGEST, PATH, TAG, OutputReference

_ECR_REPOSITORY = r"([a-z0-9]+([._-][a-z0-9]+)*/)*[a-z0-9]+([._-][a-z0-9]+)*"
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html"""


def _folder(context: str) -> str:
    try:
        folder = Path(context).expanduser() if context.startswith("~") else Path(context)
        is_there = folder.is_dir()
    except (RuntimeError, ValueError):  # no home; or a NUL in the path
        is_there = False
    if not is_there:
        raise refused("")
    return str(folder)


Repository = Annotated[
    str,
    expected(
        "a repository's path in lower case such as team/shop, without server or tag", pattern=rf"^({PATH}(/{PATH})*)?$"
    ),
]
ImageTag = Annotated[
    str,
    expected("a tag of letters, digits, '_', '.' and '-' such as v1", pattern=f"^{TAG}$"),
    must(lambda tag: tag != "latest", "a tag that names one version, such as v1"),
]
Platform = Literal["linux/amd64", "linux/arm64"]
"""The platforms that nodes may have: the architectures for which images are published and EC2 has machines."""
Digest = Annotated[str, expected("a digest: sha256: followed by 64 of 0-9 and a-f", pattern=f"^{DIGEST}$")]
Context = Annotated[str, expected("a directory"), AfterValidator(_folder)]
Argument = Annotated[str, expected("the name of an ARG: letters, digits and '_'", pattern="^[A-Za-z_][A-Za-z0-9_]*$")]


class Image(Section):
    """The image that runs: built from a Dockerfile and pushed, or pushed before."""

    repository: Repository = ""
    """The image's repository in the registry. Default: `app.name`."""
    tag: ImageTag = "v1"
    """The version. Pods run the image by its digest, so a tag may be pushed again if the registry allows that. With
    `registry.driver: ecr`, every changed build needs a new tag."""
    platform: Platform = "linux/amd64"
    """The platform of the nodes, whatever the building machine's is."""
    digest: Digest | None = None
    """The digest of an image that was pushed to the repository before, as at the end of the output `image`. The stack
    runs that image and builds nothing. A digest that the registry does not have is refused."""
    digest_from: OutputReference | None = None
    """Another stack's output that ends with a digest, such as organization/shop/staging#image; instead of `digest`. The
    image that runs there then runs here. This stack's repository must have it."""
    context: Context = "."
    """The build context: a directory, relative to the project or beginning with `~`. A change of any file in it, or of
    a file's mode, builds a new image, unless .dockerignore excludes the file. With umask 002 on one machine and 022 on
    another, each rebuilds what the other has built. A file that `passwordFile` or `kubeconfigFile` names must not end
    up in the image."""
    dockerfile: Annotated[str, expected("the path of a Dockerfile, relative to the context")] = "Dockerfile"
    """The Dockerfile, relative to the context."""
    target: Annotated[str, expected("the name of a stage of the Dockerfile")] | None = None
    """The stage to build. Default: the last one."""
    args: Mapping[Argument, str] = {}
    """Values for the Dockerfile's ARGs, by name. The image's history shows them, so they must not be secret."""

    @field_validator("repository")
    @classmethod
    def _named(cls, path: str, info: ValidationInfo) -> str:
        known = facts(info)
        repository = path or known.app or ""
        in_ecr = 2 <= len(repository) <= 256 and re.fullmatch(_ECR_REPOSITORY, repository)
        if repository and known.registry_driver == "ecr" and not in_ecr:
            raise refused(
                "the name of an ECR repository: 2 to 256 of a-z and 0-9, with single ., _, - or / between them"
            )
        return repository

    @field_validator("digest_from")
    @classmethod
    def _one_of_two(cls, digest_from: str | None, info: ValidationInfo) -> str | None:
        if digest_from and info.data.get("digest"):
            raise refused("no such key beside image.digest")
        return digest_from

    @field_validator("dockerfile")
    @classmethod
    def _is_there(cls, name: str, info: ValidationInfo) -> str:
        if _is_built(info) and not _stages(info.data["context"], name):
            raise refused(f"a Dockerfile with a FROM, relative to the directory {info.data['context']}")
        return name

    @field_validator("target")
    @classmethod
    def _is_a_stage(cls, target: str | None, info: ValidationInfo) -> str | None:
        if target and _is_built(info) and "dockerfile" in info.data:
            found = _stages(info.data["context"], info.data["dockerfile"])
            if not dockerfile.built(found, target=target):
                names = [each.name for each in found if each.name]
                raise refused(one_of(names, instead_of=target) if names else "none: the Dockerfile names no stage")
        return target

    @property
    def file(self) -> str:
        """The Dockerfile, relative to the project."""
        return str(Path(self.context, self.dockerfile))

    @property
    def user(self) -> str | None:
        """The user that the image runs as; None if the Dockerfile does not tell, or the image is not built."""
        if self.digest or self.digest_from:
            return None
        stage = dockerfile.built(_stages(self.context, self.dockerfile, self.args), target=self.target)
        return stage.user if stage else None


def _is_built(info: ValidationInfo) -> bool:
    """Return whether the Dockerfile is used; False if a value that decides this is invalid itself."""
    decides = {"digest", "digest_from", "context"}
    return decides <= info.data.keys() and not (info.data["digest"] or info.data["digest_from"])


def _stages(context: str, name: str, args: Mapping[str, str] = MappingProxyType({})) -> Sequence[Stage]:
    """Read the stages of the Dockerfile; return none if the file cannot be read."""
    try:
        text = Path(context, name).read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):  # missing, or a folder; or a NUL in the path
        return []
    return dockerfile.stages(text, args=args)
