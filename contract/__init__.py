"""The contract with other stacks: the outputs of this one, and how another reads them. docs/outputs.md lists them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

import pulumi

SCHEMA_VERSION = 1
"""Rises when a consumer of the previous version would break: an output is renamed, dropped, of another type, or
becomes or stops being secret. A new output alone does not raise it."""

SECRET = frozenset({"kubeconfig"})
"""The attributes of Outputs that are secret."""


class ContractError(pulumi.RunError):
    """A stack's outputs cannot be read. A RunError, so that `pulumi up` shows only its message."""


@dataclass(kw_only=True, eq=False, repr=False)
class Outputs:
    """The stack's outputs. Each is exported under its name in camelCase: `name_servers` as `nameServers`."""

    hostname: pulumi.Output[str]
    """The load balancer's DNS name, as AWS gives it."""
    url: pulumi.Output[str]
    """The site's URL, with its first host and a slash at the end."""
    name_servers: pulumi.Output[Sequence[str]]
    """The hosted zone's name servers, for the NS record in the parent zone."""
    zone_id: pulumi.Output[str]
    """The hosted zone's id, for more records in it."""
    certificate_arn: pulumi.Output[str]
    """The ARN of the certificate for the site's hosts, once it is issued."""
    state_store: pulumi.Output[str]
    """The state bucket in kops' form: `s3://` and the bucket's name."""
    cluster_name: pulumi.Output[str]
    """The cluster's identity, which never changes: for `cluster_identifier` of a Kubernetes provider."""
    kubeconfig: pulumi.Output[str]
    """The contents of a kubeconfig file."""
    image: pulumi.Output[str]
    """The deployed image: repository and digest."""
    namespace: pulumi.Output[str]
    """The app's namespace in the cluster."""
    pull_secret: pulumi.Output[str]
    """The Secret in that namespace with the registry's login, for `imagePullSecrets`. Empty where the nodes pull with
    their IAM role (registry.driver ecr); it may be used there too, since a kubelet ignores an entry without a name."""

    def export(self) -> None:
        """Export these as the outputs of the current stack, with the version of the contract."""
        for each in fields(self):
            value = getattr(self, each.name)
            pulumi.export(exported_name(each.name), pulumi.Output.secret(value) if each.name in SECRET else value)
        pulumi.export("schemaVersion", SCHEMA_VERSION)


class _Read(Outputs):
    """The outputs of another stack. Each is read on access, so that an unused one may be missing."""

    def __init__(self, stack: str, opts: pulumi.ResourceOptions | None) -> None:
        self._stack, self._reference = stack, pulumi.StackReference(stack, opts=opts)

    def __getattr__(self, name: str) -> pulumi.Output[Any]:
        if name not in {each.name for each in fields(Outputs)}:
            raise AttributeError(name)
        given = (self._reference.get_output(key) for key in ("schemaVersion", exported_name(name)))
        found = pulumi.Output.all(*given).apply(lambda both: _checked(self._stack, name, *both))
        return pulumi.Output.secret(found) if name in SECRET else found


def read(stack: str, *, opts: pulumi.ResourceOptions | None = None) -> Outputs:
    """Return the outputs that another stack's last `up` left; a preview knows their values too.

    `stack` is its whole name, `<organization>/<project>/<stack>`. With the state in files or in S3, the organization is
    always `organization`. An output that is used fails the program with a ContractError when the stack exports another
    version of the contract, or lacks that output.
    """
    return _Read(stack, opts)


def _checked(stack: str, name: str, version: object, value: object) -> object:
    """Return the value if it is what the contract says. Raises ContractError, without the value: it may be secret."""
    if version != SCHEMA_VERSION:
        given = str(version).removesuffix(".0")  # on the wire every number is a float
        raise ContractError(
            f"The stack {stack} gives out {'no contract' if version is None else f'version {given} of its contract'}, "
            f"but this program reads version {SCHEMA_VERSION}. Deploy the stack with an ejemplo-django of that "
            "version, or install the contract of the stack's version here. `pulumi stack ls --all` lists all stacks."
        )
    texts = get_type_hints(Outputs)[name] == pulumi.Output[Sequence[str]]
    right = (
        isinstance(value, list) and all(isinstance(each, str) for each in value) if texts else isinstance(value, str)
    )
    if not right:
        raise ContractError(
            f"The stack {stack} gives out {'no' if value is None else f'a {type(value).__name__} as'} "
            f"{exported_name(name)}; version {SCHEMA_VERSION} of the contract has {'texts' if texts else 'a text'}. "
            "Deploy that stack again, with an ejemplo-django that exports it."
        )
    return value


def exported_name(attribute: str) -> str:
    """Return the output's name for an attribute of Outputs: `zoneId` for `zone_id`."""
    first, *others = attribute.split("_")
    return first + "".join(word.capitalize() for word in others)
