"""The registry: where the image is pushed to and pulled from, and by whose login; a class for each driver."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

from infra.settings.registry import EcrRegistry, LoginRegistry, Registry as Settings

_UNTAGGED_DAYS = 14
"""How long ECR keeps what no tag names: long enough for whoever pushed by digest to still look at it."""


class Repository(Protocol):
    """What every driver gives to the rest of the program."""

    name: pulumi.Input[str]
    """`<server>/<path>`: an image's name up to its tag or digest."""
    login: docker.RegistryArgsDict
    """With which to push."""
    tags: pulumi.Output[Mapping[str, str]] | None
    """The tags that are given away for ever, each with the digest of its image; None where a tag can move."""

    def pull_secret(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Declare what the cluster needs to pull; give the Secret's name, empty where the nodes need none."""


def declare(settings: Settings, *, path: str, protect: bool, opts: pulumi.ResourceOptions | None = None) -> Repository:
    """Declare the repository of that path with the driver that its settings are for.

    `protect` keeps one of ours from deletion.
    """
    driver: Callable[..., Repository] = {"login": LoginRepository, "ecr": EcrRepository}[settings.driver]
    return driver("registry", settings=settings, path=path, protect=protect, opts=opts)


class LoginRepository:
    """Driver `login`: a registry that somebody else looks after, used with a user's name and password."""

    def __init__(
        self,
        name: str,
        *,
        settings: LoginRegistry,
        path: str,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Hand on what the settings say; there is nothing to make."""
        self._settings = settings
        self.name: pulumi.Input[str] = f"{settings.server}/{path}"
        self.login = docker.RegistryArgsDict(
            server=settings.server, username=settings.username, password=_password(settings)
        )
        self.tags: pulumi.Output[Mapping[str, str]] | None = None

    def pull_secret(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Declare the Secret with the login, without which no node can pull."""
        return RegistrySecret(name, registry=self._settings, opts=opts).name


class RegistrySecret(pulumi.ComponentResource):
    """The secret `regcred`, of the type and form that `kubectl create secret docker-registry` gives."""

    name: pulumi.Output[str]

    def __init__(self, name: str, *, registry: LoginRegistry, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it."""
        super().__init__("ejemplo-django:infra:RegistrySecret", name, None, opts)

        password = _password(registry)
        entry = {
            "username": registry.username,
            "password": password,
            **({"email": registry.email} if registry.email else {}),
            "auth": pulumi.Output.concat(registry.username, ":", password).apply(_base64),
        }
        login = pulumi.Output.json_dumps({"auths": {registry.server: entry}})
        secret = kubernetes.core.v1.Secret(
            f"{name}-secret",
            metadata={"name": "regcred"},
            type="kubernetes.io/dockerconfigjson",
            string_data={".dockerconfigjson": login},
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.name = secret.metadata.name
        self.register_outputs({"name": self.name})


class EcrRepository(pulumi.ComponentResource):
    """Driver `ecr`: a repository of the account's own, from which the nodes pull by their IAM role.

    No Secret could do that: ECR's passwords end after 12 hours, and a pod may be started at any time.
    """

    def __init__(
        self,
        name: str,
        *,
        settings: EcrRegistry,
        path: str,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; unless protected, the repository is deleted with the images in it."""
        super().__init__("ejemplo-django:infra:EcrRepository", name, None, opts)

        repository = aws.ecr.Repository(
            f"{name}-repository",
            name=path,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            # ECR's own key and not one of KMS: who may pull is said in one place, the repository's rights.
            encryption_configurations=[{"encryption_type": "AES256"}],
            force_delete=not protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-lifecycle",
            repository=repository.name,
            policy=pulumi.Output.json_dumps({"rules": [_EXPIRE_UNTAGGED]}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        # Both wait for the repository by its registry's id, which no preview knows before there is one.
        asked: Mapping[str, Any] = {
            "registry_id": repository.registry_id,
            "opts": pulumi.InvokeOutputOptions(parent=self),
        }
        token = aws.ecr.get_authorization_token_output(**asked)
        images = aws.ecr.get_images_output(repository_name=repository.name, **asked)

        self.name: pulumi.Input[str] = repository.repository_url
        self.login = docker.RegistryArgsDict(
            server=repository.repository_url.apply(lambda url: url.partition("/")[0]),
            username=token.user_name,
            password=pulumi.Output.secret(token.password),
        )
        self.tags: pulumi.Output[Mapping[str, str]] | None = images.image_ids.apply(
            # Of a repository without images, AWS's provider gives no list at all.
            lambda ids: {each.image_tag: each.image_digest for each in ids or () if each.image_tag}
        )
        self.register_outputs({"name": self.name})

    def pull_secret(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Declare nothing, and name none: the kubelet of each node gets its own passwords."""
        return pulumi.Output.from_input("")


_EXPIRE_UNTAGGED: Mapping[str, Any] = {
    "rulePriority": 1,
    # What runs was pushed with a tag, and a tag never leaves its image: so nothing that runs can expire. ECR knows
    # of no pods; any rule by the age or the number of tagged images would delete one that runs, one day.
    "description": "expire what no tag names",
    "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": _UNTAGGED_DAYS,
    },
    "action": {"type": "expire"},
}


def _password(registry: LoginRegistry) -> pulumi.Output[str]:
    return pulumi.Output.secret(registry.secret.get_secret_value())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
