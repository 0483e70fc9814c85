"""The registry, to which the image is pushed and from which it is pulled; a class for each driver."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pulumi
import pulumi_aws as aws
import pulumi_docker as docker
import pulumi_kubernetes as kubernetes

from infra import docker_login, threads
from infra.pushed import Tagged
from infra.settings.registry import EcrRegistry, LoginRegistry, Registry as Settings


class LoginRefusedError(pulumi.RunError):
    """The registry refuses the login. A RunError, so that `pulumi up` shows only its message."""


_UNTAGGED_DAYS = 14
"""Days that ECR keeps untagged images: enough to inspect one that was pushed by digest."""


class Repository(Protocol):
    """What every driver provides to the rest of the program."""

    name: pulumi.Input[str]
    """`<server>/<path>`: an image's name up to its tag or digest."""
    login: docker.RegistryArgsDict
    """The login to push with."""
    images: pulumi.Output[Sequence[Tagged]] | None
    """All images in it, if tags are immutable; None if tags can move and only docker can ask."""

    def pull_secret(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Declare what the cluster needs to pull. Return the Secret's name; empty if the nodes need none."""


def declare(settings: Settings, *, path: str, protect: bool, opts: pulumi.ResourceOptions | None = None) -> Repository:
    """Declare the repository of that path with the driver of its settings.

    `protect` protects a repository of ours from deletion.
    """
    driver: Callable[..., Repository] = {"login": LoginRepository, "ecr": EcrRepository}[settings.driver]
    return driver("registry", settings=settings, path=path, protect=protect, opts=opts)


class LoginRepository:
    """Driver `login`: a registry that the program does not manage, with a user name and a password."""

    def __init__(
        self,
        name: str,
        *,
        settings: LoginRegistry,
        path: str,
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Take over the settings; there is nothing to create."""
        self._settings = settings
        self.name: pulumi.Input[str] = f"{settings.server}/{path}"
        self.login = docker.RegistryArgsDict(
            server=settings.server, username=settings.username, password=_password(settings)
        )
        self.images: pulumi.Output[Sequence[Tagged]] | None = None

    def pull_secret(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Declare the Secret with the login, which the nodes need to pull."""
        return RegistrySecret(name, registry=self._settings, opts=opts).name


class RegistrySecret(pulumi.ComponentResource):
    """The Secret `regcred`, of the type and format that `kubectl create secret docker-registry` creates."""

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
            opts=pulumi.ResourceOptions(parent=self, hooks=_check_login(name, registry)),
        )

        self.name = secret.metadata.name
        self.register_outputs({"name": self.name})


class EcrRepository(pulumi.ComponentResource):
    """Driver `ecr`: a repository in the stack's account, from which the nodes pull with their IAM role.

    A Secret could not do that: ECR's passwords expire after 12 hours, and a pod may start at any time.
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
            # ECR's own key, not one of KMS: only the repository's rights then say who may pull.
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
        # Both depend on the repository by its registry's id, which no preview knows before the repository exists.
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
        self.images: pulumi.Output[Sequence[Tagged]] | None = images.image_ids.apply(
            # AWS's provider returns None for a repository without images.
            lambda ids: [(each.image_tag, each.image_digest) for each in ids or ()]
        )
        self.register_outputs({"name": self.name})

    def pull_secret(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> pulumi.Output[str]:
        """Return an empty name: each node's kubelet gets its own passwords."""
        return pulumi.Output.from_input("")


_EXPIRE_UNTAGGED: Mapping[str, Any] = {
    "rulePriority": 1,
    # Images that run were pushed with a tag, and a tag never leaves its image, so they never expire. ECR knows nothing
    # of pods: any rule by the age or the number of tagged images would delete a running one, some day.
    "description": "expire what no tag names",
    "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": _UNTAGGED_DAYS,
    },
    "action": {"type": "expire"},
}


def _check_login(name: str, registry: LoginRegistry) -> pulumi.ResourceHookBinding:
    """Return a hook that fails if the registry refuses the login, once the engine has found that the Secret changes."""

    async def refuse(_: pulumi.ResourceHookArgs) -> None:
        user, server = registry.username, registry.server
        try:
            done = await threads.run(docker_login.ask, server, user, registry.secret.get_secret_value())
        except OSError as error:
            pulumi.log.warn(f"Could not check the login of {user} at {server}: {error}.")
            return
        said = docker_login.last_line(done.stderr)
        if done.returncode and not docker_login.is_refused(done):
            pulumi.log.warn(f"Could not check the login of {user} at {server}: {said}")
        elif done.returncode:
            raise LoginRefusedError(
                f"registry.password: {server} refuses the login of {user}: {said}. "
                "Set the right password: pulumi config set --secret --path registry.password; or write it into the "
                "file that registry.passwordFile names."
            )

    hook = pulumi.ResourceHook(f"{name}-login", refuse, pulumi.ResourceHookOptions(on_dry_run=True))
    return pulumi.ResourceHookBinding(before_create=[hook], before_update=[hook])


def _password(registry: LoginRegistry) -> pulumi.Output[str]:
    return pulumi.Output.secret(registry.secret.get_secret_value())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
