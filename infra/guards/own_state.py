"""The stack's state, read while the program runs."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from infra import threads


class UnreadError(Exception):
    """The state cannot be read; the message says why."""


async def deployment() -> Mapping[str, Any]:
    """Return the current state: its `resources` and `pending_operations`, if any. Raise UnreadError."""
    return await threads.run(_exported)


async def known(type_: str) -> frozenset[str]:
    """Return the ids of the resources of that type in the state and, of objects in the cluster, the UIDs.

    A resource that waits for its replacement is among them; one that is only looked up is not. Raise UnreadError.
    """
    resources = (await deployment()).get("resources") or ()
    own = [each for each in resources if each["type"] == type_ and not each.get("external")]
    return frozenset(id_ for each in own for id_ in _ids(each))


def stack() -> str:
    """Return the name of this stack as `pulumi --stack` takes it, with the organization if the backend has any."""
    organization = pulumi.get_organization()
    if organization == "organization":  # what a bucket or a folder has in its place
        return pulumi.get_stack()
    return f"{organization}/{pulumi.get_project()}/{pulumi.get_stack()}"


def in_doubt(deployment: Mapping[str, Any]) -> list[str]:
    """Return the URNs of resources with an unknown outcome.

    The engine recorded the start of the creation and not its end, or the resource was imported and not read yet.
    """
    operations = deployment.get("pending_operations") or ()
    return [each["resource"]["urn"] for each in operations if each["type"] == "creating"] + unread(deployment)


def unread(deployment: Mapping[str, Any]) -> list[str]:
    """Return the URNs of resources that were imported and not read yet: only those have no outputs."""
    return [
        each["urn"]
        for each in deployment.get("resources") or ()
        if each.get("id") and not each.get("outputs") and not each["type"].startswith("pulumi")
    ]


def _exported() -> Mapping[str, Any]:
    command = ["pulumi", "stack", "export", "--stack", stack(), "--non-interactive"]
    try:
        done = subprocess.run(  # noqa: S603  the arguments are ours
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
    except OSError as error:
        raise UnreadError(f"there is no `pulumi` on PATH to read the state with: {error}.") from error
    except subprocess.CalledProcessError as error:
        raise UnreadError(f"`{' '.join(command[:3])}` failed: {error.stderr.strip()}") from error
    found: Mapping[str, Any] = json.loads(done.stdout)["deployment"]
    return found


def _ids(resource: Mapping[str, Any]) -> Iterator[str]:
    yield resource.get("id", "")
    metadata = (resource.get("outputs") or {}).get("metadata")
    if isinstance(metadata, dict):
        yield metadata.get("uid", "")
