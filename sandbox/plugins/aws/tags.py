"""Tags: the resource's own over the provider's default ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.plugins.aws.client import Aws
from sandbox.plugins.resource import ResourceType
from sandbox.plugins.values import Properties, is_known


class Tagged(ResourceType):
    """A type with the inputs `tags` and the output `tagsAll`."""

    def __init__(self, aws: Aws) -> None:
        """Work with these clients and default tags."""
        self.aws = aws

    def planned(self, inputs: Properties) -> Properties:
        """Foretell tagsAll, so that changed default tags reach every resource."""
        tags = inputs.get("tags") or {}
        return {"tagsAll": self.merged(inputs)} if is_known(tags) else {}

    def merged(self, inputs: Properties) -> dict[str, str]:
        """Give the default tags and, over them, the resource's own."""
        return {**self.aws.default_tags, **(inputs.get("tags") or {})}

    def seen(self, live: Mapping[str, str], state: Properties) -> Properties:
        """Give the outputs tags and tagsAll from the live tags.

        A live tag that a default tag explains counts as the resource's own only if the state has it there.
        """
        own = state.get("tags") or {}
        defaults = self.aws.default_tags
        tags = {key: value for key, value in live.items() if key in own or defaults.get(key) != value}
        return {"tags": tags, "tagsAll": dict(live)}


def to_aws(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Spell tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def from_aws(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Read tags as AWS gives them, without its own."""
    return {tag["Key"]: tag.get("Value", "") for tag in tags if not tag["Key"].startswith("aws:")}
