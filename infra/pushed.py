"""Pushed: the check that the registry has an image, before anything runs it."""

import re
from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider

from infra import docker_login

Tagged = tuple[str, str]
"""An image in a registry: its tag, empty if it has none, and its digest."""

_UNKNOWN = re.compile(r"(manifest|name) unknown: (?!.*(OCI|media type))")
"""The registry's own message for an image, or a repository, that it does not have; not for one in a format that docker
before version 23 cannot read. Docker shows it only with `--debug`. Without, it says `no such manifest` for any failure,
even missing rights or TLS."""


class _PushedProvider(ResourceProvider):
    """The state refers to this module and class by name: do not rename them."""

    serialize_as_secret_always = False  # nothing in it but its name

    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Check an image that is not the last one. Drop the login: the state needs no copy of it."""
        login, digests, image = news.pop("login"), news.pop("digests", None), news["image"]
        # A value that is not known yet is an object of the SDK.
        if not isinstance(image, str) or image == olds.get("image"):
            return CheckResult(news, [])
        digest = image.partition("@")[2]
        lacks = digest not in digests if isinstance(digests, list) else _lacks(image, login)
        found = f"{news['key']}: found {digest}, which the registry does not have: no image {image}."
        # Name no property: Pulumi would show its value.
        return CheckResult(news, [CheckFailure("", found)] if lacks else [])

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Create nothing."""
        return CreateResult(props["image"], props)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Report no change: `check` has examined it."""
        return DiffResult(changes=False)


def _lacks(image: str, login: Mapping[str, Any]) -> bool:
    """Return whether the registry says that it does not have the image. Warn if it does not say."""
    if not all(isinstance(each, str) for each in login.values()):  # a registry that does not exist yet
        return False
    question = ("--debug", "manifest", "inspect", image)
    try:
        done = docker_login.ask(login["server"], login["username"], login["password"], *question)
    except OSError as error:
        pulumi.log.warn(f"Could not check whether the registry has {image}: {error}.")
        return False
    if done.returncode == 0:
        return False
    if _UNKNOWN.search(done.stderr):
        return True
    pulumi.log.warn(f"Could not check whether the registry has {image}: {docker_login.last_line(done.stderr)}")
    return False


class Pushed(Resource, module="ejemplo-django", name="ImagePushed"):
    """The check of an image. There is nothing to delete."""

    def __init__(
        self,
        name: str,
        *,
        image: pulumi.Input[str],
        key: str,
        login: docker.RegistryArgsDict,
        digests: pulumi.Input[list[str]] | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """Declare it for an image by its digest, which the setting `key` names.

        `digests` are all digests in the registry, if they are known without asking docker.
        """
        super().__init__(
            _PushedProvider(), name, {"image": image, "key": key, "login": login, "digests": digests}, opts
        )
