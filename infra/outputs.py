"""The contract with other stacks: its exports. Renaming or dropping one is a new SCHEMA_VERSION.

It imports nothing else of the program, so that a stack which consumes the outputs can import it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import pulumi

SCHEMA_VERSION = 1
"""Raised when a consumer written for the version before would break. A new output alone does not raise it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The stack's outputs. Each is exported under its name in camelCase: `name_servers` as `nameServers`."""

    hostname: pulumi.Input[str]
    """The balancer's own name, as AWS gives it."""
    url: pulumi.Input[str]
    """The site's address, with a slash at the end."""
    name_servers: pulumi.Input[Sequence[str]]
    """The hosted zone's, for the NS record in the parent zone."""
    zone_id: pulumi.Input[str]
    certificate_arn: pulumi.Input[str]
    """Of the certificate for the site's host, once it is issued."""
    state_store: pulumi.Input[str]
    """The state bucket as kops takes it: `s3://` and the bucket's name."""
    cluster_name: pulumi.Input[str]
    kubeconfig: pulumi.Input[str]
    """Secret: the contents of the file."""
    image: pulumi.Input[str]
    """What runs: repository and digest."""
    namespace: pulumi.Input[str]
    """The one in the cluster that the app lives in."""
    schema_version: int = SCHEMA_VERSION

    def export(self) -> None:
        """Make these the outputs of the current stack."""
        for each in fields(self):
            pulumi.export(_camel_case(each.name), getattr(self, each.name))


def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
