"""The `registry` section: a model for each driver."""

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, SecretStr, Tag, ValidationInfo, WithJsonSchema, field_validator

from infra.settings.section import Section, expected, refused
from infra.settings.values import FROM_FILE, HOST, NOT_EMPTY

_DOCKER_HUB = ("hub.docker.com", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")
"""Other host names of Docker Hub: its site, the key of its login, and the hosts of its API."""

_SHORT = (
    (
        "AWS",
        r".+\.amazonaws\.com(\.cn)?",
        "registry.driver ecr instead of a login: this password expires after 12 hours",
    ),
    (
        "oauth2accesstoken",
        r".+\.pkg\.dev|(.+\.)?gcr\.io",
        "another user, such as _json_key: this password expires after an hour",
    ),
)
"""Users whose passwords expire while pods still need them: the user, the servers that know it, and what to do
instead."""


def _is_server(text: str) -> bool:
    """Return whether Docker takes the first part of an image's name for a server, and not for a part of the path.

    It does for a name with a dot or a port, and for localhost (splitDockerDomain in github.com/distribution/reference).
    """
    match = re.fullmatch(rf"(?P<host>{HOST})(:(?P<port>[0-9]{{1,5}}))?", text)
    if not match:
        return False
    if match["port"]:
        return 1 <= int(match["port"]) <= 65535
    return "." in text or text == "localhost"


def _server(text: str) -> str:
    parts = urlsplit(text.lower() if "://" in text else f"//{text.lower()}")
    if parts.netloc in _DOCKER_HUB:
        raise refused("docker.io, the name of Docker Hub in image names")
    if _is_server(text):
        return text
    if not _is_server(parts.netloc):
        raise refused("")
    if parts.scheme:
        raise refused(f"the host alone, {parts.netloc}, without {parts.scheme}://")
    if path := parts.path.strip("/"):
        raise refused(f"the host alone, {parts.netloc}; {path} belongs at the start of image.repository")
    raise refused(f"the host in lower case, {parts.netloc}")


Server = Annotated[
    str, expected("a host with a dot or a port such as registry.example.com:5000"), AfterValidator(_server)
]
# RFC 7617: in the header that carries both, the first colon ends the user's name.
Username = Annotated[str, expected("a user name without spaces or colons", pattern=r"^[^\s:]+$")]
Email = Annotated[str, expected("an e-mail address such as ops@example.com", pattern=rf"^[^\s@]+@{HOST}$")]
PasswordFile = Annotated[
    SecretStr,
    FROM_FILE,
    NOT_EMPTY,
    WithJsonSchema({"type": "string", "errorMessage": "the path of a file with the password"}),
]


class LoginRegistry(Section):
    """Driver `login`: any registry, with a user name and a password."""

    driver: Literal["login"] = "login"
    """Any registry."""
    server: Server
    """The registry's host, with its port unless that is 443."""
    username: Username
    """The user that pushes and pulls."""
    email: Email | None = None
    """Written into the pull secret beside the user name; no registry needs it."""
    password_file: PasswordFile | None = None
    """The path of a file with the password, relative to the project or beginning with `~`; instead of `password`."""
    password: Annotated[SecretStr, NOT_EMPTY] | None = None
    """The user's password: `pulumi config set --secret --path registry.password`. The program tries it before it puts
    it into the cluster."""

    @field_validator("username")
    @classmethod
    def _whose_password_lasts(cls, username: str, info: ValidationInfo) -> str:
        for short, servers, words in _SHORT:
            if username == short and re.fullmatch(servers, info.data.get("server", "").partition(":")[0]):
                raise refused(words)
        return username

    @field_validator("password")
    @classmethod
    def _one_of_two(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "password_file" in info.data and (password is None) == (info.data["password_file"] is None):
            raise refused("one of password and passwordFile", found="neither" if password is None else "both")
        return password

    @property
    def secret(self) -> SecretStr:
        """The password, from either key."""
        return self.password or self.password_file or SecretStr("")


class EcrRegistry(Section):
    """Driver `ecr`: a repository that the program creates, in the stack's AWS account and region.

    Each `up` and `preview` gets its own password from AWS. The nodes pull with their IAM role, so there is no Secret
    that could expire. The drivers kops (`containerRegistry`) and eks give them that role; the nodes of an existing
    cluster must have it, and the kubelet's ecr-credential-provider. A tag cannot be moved to another image: a changed
    build needs a new `image.tag`.
    """

    driver: Literal["ecr"]
    """A repository in ECR, named `image.repository`."""


def _driver(given: Any) -> Any:
    return given.get("driver", "login") if isinstance(given, dict) else getattr(given, "driver", None)


Registry = Annotated[
    Annotated[LoginRegistry, Tag("login")] | Annotated[EcrRegistry, Tag("ecr")], Discriminator(_driver)
]
"""The registry, by its driver; `infra.registry` has a class for each."""
