"""Sorts the configuration keys from the engine, and reports those that are in the wrong place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.settings import schema
from infra.settings.problems import Problem
from infra.settings.schema import Node

_OF_PROVIDERS = {
    "aws:region": "aws.region, by pulumi config set --path aws.region <region>",
    "aws:profile": "the environment variable AWS_PROFILE",
    "aws:assumeRole": "a profile with role_arn in ~/.aws/config, named by the environment variable AWS_PROFILE",
    "aws:assumeRoles": "a profile with role_arn in ~/.aws/config, named by the environment variable AWS_PROFILE",
    "aws:defaultTags": "aws.tags, by pulumi config set --path aws.tags.<name> <value>",
    "aws:endpoints": "aws.endpoint, by pulumi config set --path aws.endpoint <url>",
    "aws:": "the environment, as for every AWS tool: AWS_PROFILE, or AWS_ACCESS_KEY_ID and the like",
    "docker:": "registry and image; DOCKER_HOST or `docker context` for the daemon that builds",
    "kubernetes:": "cluster and namespace",
}
"""What to use instead of a key of Pulumi's default providers. A key that ends with `:` stands for all others with that
prefix."""

_MOVED = {
    "app.replicas": "app.scale.min",
    "app.secretKey": "app.secrets.SECRET_KEY",
    "app.debug": "app.env.DEBUG",
    "host": "hosts",
    "namespace": "namespace.name",
    "image.base": "image.args.BASE_IMAGE",
}
"""The new place of each key that has moved, as paths. If the new place is inside the old key, the old key is refused
only if it is not an object."""


@dataclass(slots=True, kw_only=True)
class Sorted:
    """The project's own values, and the problems of misplaced keys."""

    values: dict[str, object] = field(default_factory=dict)
    """By the project's keys; objects are decoded from JSON."""
    problems: list[Problem] = field(default_factory=list)
    explained: set[str] = field(default_factory=set)
    """Keys that seem missing or unknown because of these problems; a second problem would be noise."""


def sort_out(config: Mapping[str, str], described: Node, *, project: str) -> Sorted:
    """Separate the project's keys from others, by the schema of its settings."""
    found = Sorted()
    known = described["properties"]
    own = {key.partition(":")[2] for key in config if key.startswith(f"{project}:")}
    secrets = {schema.path(place) for place in schema.secrets(described)}
    for whole, text in config.items():
        prefix, _, key = whole.partition(":")
        if prefix == project and "." in key and key.partition(".")[0] in known:
            secret = "--secret " if key in secrets else ""
            value = "" if secret else " <value>"
            commands = f"`pulumi config rm {key}`, then `pulumi config set {secret}--path {key}{value}`"
            what = f"it inside {key.partition('.')[0]}: {commands}"
            found.problems.append(Problem(key=key, found="a key that was set without --path", expected=what))
            found.explained.add(key)
        elif prefix == project:
            found.values[key] = text if known.get(key, {}).get("type") == "string" else _decoded(text)
        elif f"{prefix}:" in _OF_PROVIDERS:
            instead = _OF_PROVIDERS.get(whole) or _OF_PROVIDERS[f"{prefix}:"]
            found.problems.append(Problem(key=whole, found="a key that this program does not use", expected=instead))
        elif prefix != "pulumi" and key in known and key not in own:
            what = f"{project}:{key}, with the project's name in Pulumi.yaml"
            found.problems.append(Problem(key=whole, found=f"a key of the project {prefix}", expected=what))
            found.explained.add(key)
    for old, new in _MOVED.items():
        moved = _at(found.values, old)
        if moved is not None and not (new.startswith(f"{old}.") and isinstance(moved, dict)):
            found.problems.append(Problem(key=old, found="a key that has moved", expected=f"its value under {new}"))
            # Report neither the old key a second time nor the new one as missing.
            found.explained |= {old} if _at(found.values, new) is not None else {old, new}
    return found


def _at(values: object, path: str) -> object:
    """Return the value at a path; None if there is none."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # not JSON: the model refuses it by its key
