"""What is built, and what it is called in the registry."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator

from infra.settings.section import Section, expected, facts, must, refused
from infra.settings.values import DIGEST, HOST, PATH, TAG

_ECR_REPOSITORY = r"([a-z0-9]+([._-][a-z0-9]+)*/)*[a-z0-9]+([._-][a-z0-9]+)*"
"""https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html"""


def _folder(context: str) -> str:
    try:
        folder = Path(context).expanduser() if context.startswith("~") else Path(context)
        is_there = (folder / "Dockerfile").is_file()
    except (RuntimeError, ValueError):  # there is no home; a NUL in the path
        is_there = False
    if not is_there:
        raise refused("")
    return str(folder)


Repository = Annotated[
    str,
    expected(
        "a repository's path in lower case such as contraslash/ejemplo-django, without server or tag",
        pattern=f"^{PATH}(/{PATH})*$",
    ),
]
ImageTag = Annotated[
    str,
    expected("a tag of letters, digits, '_', '.' and '-' such as v1", pattern=f"^{TAG}$"),
    must(lambda tag: tag != "latest", "a tag that names one version, such as v1"),
]
Reference = Annotated[
    str,
    expected(
        "an image such as python:3.13-slim-bookworm",
        pattern=f"^({HOST}(:[0-9]{{1,5}})?/)?{PATH}(/{PATH})*(:{TAG})?(@{DIGEST})?$",
    ),
]
Platform = Literal["linux/amd64", "linux/arm64"]
"""What the nodes may be: the architectures for which the base image is published and EC2 has machines."""
Context = Annotated[str, expected("a directory of the project with a Dockerfile in it"), AfterValidator(_folder)]
Digest = Annotated[str, expected("a digest: sha256: and 64 of 0-9 and a-f", pattern=f"^{DIGEST}$")]


class Image(Section):
    """What is built, and what it is called in the registry."""

    repository: Repository = "contraslash/ejemplo-django"
    """The image's name in the registry."""
    tag: ImageTag = "v1"
    """The version, which the page shows. What runs is the digest, so a tag may be built anew where the registry lets it
    move; where `registry.driver` is ecr, every changed build needs another."""
    base: Reference = "python:3.13-slim-bookworm"
    """What the Dockerfile starts from."""
    platform: Platform = "linux/amd64"
    """The nodes' architecture, whatever that of the machine that builds is."""
    context: Context = "app"
    """The directory with the Dockerfile, from the project or from `~`."""
    digest: Digest | None = None
    """An image that was pushed before, as the output `image` ends with it: it runs then, and nothing is built. The page
    shows its first 12 characters instead of the tag."""

    @field_validator("repository")
    @classmethod
    def _taken_by_ecr(cls, repository: str, info: ValidationInfo) -> str:
        in_ecr = 2 <= len(repository) <= 256 and re.fullmatch(_ECR_REPOSITORY, repository)
        if facts(info).registry_driver == "ecr" and not in_ecr:
            raise refused("the name of an ECR repository: 2 to 256 of a-z, 0-9 and, between them, one of ., _, - and /")
        return repository

    @property
    def version(self) -> str:
        """What the page shows: the tag, or the beginning of a digest, whose tag nobody knows."""
        return self.digest.removeprefix("sha256:")[:12] if self.digest else self.tag
