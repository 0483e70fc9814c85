"""The contract with other stacks: what this one gives out, and how another reads it. docs/outputs.md is its table."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import pulumi

SCHEMA_VERSION = 1
"""Raised when a consumer written for the version before would break: an output that is renamed, dropped, of another
type, or no longer or newly secret. A new output alone does not raise it."""

SECRET = frozenset({"kubeconfig"})
"""The attributes of Outputs that are secret."""


class ContractError(pulumi.RunError):
    """A stack cannot be read. A RunError, so that its message is all that `pulumi up` shows."""


@dataclass(kw_only=True, eq=False, repr=False)
class Outputs:
    """The stack's outputs. Each is exported under its name in camelCase: `name_servers` as `nameServers`."""

    hostname: pulumi.Output[str]
    """The balancer's own name, as AWS gives it."""
    url: pulumi.Output[str]
    """The site's address, with a slash at the end."""
    name_servers: pulumi.Output[Sequence[str]]
    """The hosted zone's, for the NS record in the parent zone."""
    zone_id: pulumi.Output[str]
    """The hosted zone's, for more records in it."""
    certificate_arn: pulumi.Output[str]
    """Of the certificate for the site's host, once it is issued."""
    state_store: pulumi.Output[str]
    """The state bucket as kops takes it: `s3://` and the bucket's name."""
    cluster_name: pulumi.Output[str]
    """The cluster's identity, which never changes: for `cluster_identifier` of a Kubernetes provider."""
    kubeconfig: pulumi.Output[str]
    """The contents of the file."""
    image: pulumi.Output[str]
    """What runs: repository and digest."""
    namespace: pulumi.Output[str]
    """The one in the cluster that the app lives in."""
    pull_secret: pulumi.Output[str]
    """The Secret in that namespace with the registry's login, for `imagePullSecrets`. Empty where the nodes pull by
    their IAM role (registry.driver ecr): a kubelet passes over an entry without a name, so it may stand there too."""

    def export(self) -> None:
        """Make these the outputs of the current stack, with the version of the contract."""
        for each in fields(self):
            value = getattr(self, each.name)
            pulumi.export(exported_name(each.name), pulumi.Output.secret(value) if each.name in SECRET else value)
        pulumi.export("schemaVersion", SCHEMA_VERSION)


class _Read(Outputs):
    """The outputs of another stack. Each is asked for when it is taken, so that none that is not can be missing."""

    def __init__(self, stack: str, opts: pulumi.ResourceOptions | None) -> None:
        self._stack, self._reference = stack, pulumi.StackReference(stack, opts=opts)

    def __getattr__(self, name: str) -> pulumi.Output[Any]:
        if name not in {each.name for each in fields(Outputs)}:
            raise AttributeError(name)
        given = (self._reference.get_output(key) for key in ("schemaVersion", exported_name(name)))
        found = pulumi.Output.all(*given).apply(lambda both: _checked(self._stack, name, *both))
        return pulumi.Output.secret(found) if name in SECRET else found


def read(stack: str, *, opts: pulumi.ResourceOptions | None = None) -> Outputs:
    """Read the outputs of another stack, which its last `up` left: they are known in a preview too.

    `stack` is its whole name, `<organization>/<project>/<stack>`; where the state is kept in files or in S3, every
    organization is called `organization`. An output that is taken fails with a ContractError, and the program with it,
    when the stack gives out another version of the contract, or lacks that output.
    """
    return _Read(stack, opts)


def _checked(stack: str, name: str, version: object, value: object) -> object:
    """Hand on the value, once it is what the contract says. What it is stays unsaid: it may be secret."""
    if version != SCHEMA_VERSION:
        given = str(version).removesuffix(".0")  # on the wire every number is a float
        raise ContractError(
            f"The stack {stack} gives out {'no contract' if version is None else f'version {given} of its contract'}, "
            f"and this program reads version {SCHEMA_VERSION}. Bring the stack up with an ejemplo-django of that "
            "version, or take the contract of the stack's version here; `pulumi stack ls --all` lists all stacks."
        )
    texts = get_type_hints(Outputs)[name] == pulumi.Output[Sequence[str]]
    right = (
        isinstance(value, list) and all(isinstance(each, str) for each in value) if texts else isinstance(value, str)
    )
    if not right:
        raise ContractError(
            f"The stack {stack} gives out {'no' if value is None else f'a {type(value).__name__} as'} "
            f"{exported_name(name)}, and version {SCHEMA_VERSION} of its contract has {'texts' if texts else 'a text'} "
            "there. Bring that stack up again, with an ejemplo-django that has it."
        )
    return value


def exported_name(attribute: str) -> str:
    """Give the name in the stack of one of Outputs: `zone_id` is exported as `zoneId`."""
    first, *others = attribute.split("_")
    return first + "".join(word.capitalize() for word in others)
