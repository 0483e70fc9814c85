"""The configuration as the engine hands it over: by whole keys, of which some are in the wrong place."""

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
    "aws:": "the environment, as for every tool of AWS's: AWS_PROFILE, or AWS_ACCESS_KEY_ID and its like",
    "kubernetes:": "cluster and namespace, which say what is deployed to and where in it",
}
"""What to use instead of a key of Pulumi's default providers, or of any other one with that prefix."""


@dataclass(slots=True, kw_only=True)
class Sorted:
    """The project's own values, and what is wrong with keys that are in another place than they should be."""

    values: dict[str, object] = field(default_factory=dict)
    """By the project's keys; of objects, what their JSON says."""
    problems: list[Problem] = field(default_factory=list)
    explained: set[str] = field(default_factory=set)
    """The keys that are missing because of that: no second problem has to say so."""


def sort_out(config: Mapping[str, str], described: Node, *, project: str) -> Sorted:
    """Tell the project's keys from others, by the schema of its settings."""
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
        elif prefix in ("aws", "kubernetes"):
            instead = _OF_PROVIDERS.get(whole) or _OF_PROVIDERS[f"{prefix}:"]
            found.problems.append(Problem(key=whole, found="a key that this program does not use", expected=instead))
        elif prefix != "pulumi" and key in known and key not in own:
            what = f"{project}:{key}, as Pulumi.yaml calls the project"
            found.problems.append(Problem(key=whole, found=f"a key of the project {prefix}", expected=what))
            found.explained.add(key)
    return found


def _decoded(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a text where there should be none, which is refused by its key
