"""The contract with other stacks: what this one gives out, and how another reads it.

It imports nothing else of the program: the distribution `ejemplo-django-outputs` (contract/) is this module
alone, under the name `ejemplo_django_outputs`. docs/outputs.md is its table.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, get_args, get_type_hints

import pulumi
from pulumi.runtime import get_root_resource, proto, rpc
from pulumi.runtime.settings import get_monitor

SCHEMA_VERSION = 1
"""Raised when a consumer written for the version before would break: an output that is renamed, dropped, of
another type, or no longer or newly secret. A new output alone does not raise it."""

_VERSION = "schemaVersion"
_SECRET: Mapping[str, Any] = {"secret": True}
_KINDS = {str: "string", int: "integer", Sequence[str]: "array of strings"}
"""What an output of each type is in JSON."""


class ContractError(pulumi.RunError):
    """A stack cannot be read. A RunError, so that its message is all that `pulumi up` shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    kubeconfig: pulumi.Output[str] = field(repr=False, metadata=_SECRET)
    """The contents of the file."""
    image: pulumi.Output[str]
    """What runs: repository and digest."""
    namespace: pulumi.Output[str]
    """The one in the cluster that the app lives in."""
    pull_secret: pulumi.Output[str]
    """The Secret in that namespace with the registry's login, for `imagePullSecrets`. Empty where the nodes pull by
    their IAM role (registry.driver ecr): a kubelet passes over an entry without a name, so it may stand there too."""
    schema_version: int = SCHEMA_VERSION
    """Of these outputs: a consumer refuses one that it was not written for."""

    def export(self) -> None:
        """Make these the outputs of the current stack."""
        for each in described():
            value = getattr(self, each.attribute)
            pulumi.export(each.key, pulumi.Output.secret(value) if each.secret else value)


def export_at_once(**values: pulumi.Input[Any]) -> pulumi.Output[None]:
    """Make some outputs, by their attributes in Outputs, readable even when the update fails after this.

    All of them are registered only when each is known. Until then the engine keeps what it was given last, which is
    this once the result is known.
    """

    async def registered() -> None:
        stack, monitor = get_root_resource(), get_monitor()
        if stack is None or monitor is None:
            return
        outputs = await rpc.serialize_properties({exported_name(key): each for key, each in values.items()}, {})
        request = proto.resource_pb2.RegisterResourceOutputsRequest(urn=str(await stack.urn.future()), outputs=outputs)
        await asyncio.get_running_loop().run_in_executor(None, monitor.RegisterResourceOutputs, request)

    return pulumi.Output.from_input(registered())


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One output as every language sees it."""

    attribute: str
    key: str
    """Its name in the stack."""
    kind: str
    """Its type in JSON, one of _KINDS."""
    secret: bool


def described() -> tuple[Described, ...]:
    """Describe every output, in the order of Outputs."""
    types = get_type_hints(Outputs)
    return tuple(
        Described(
            attribute=each.name,
            key=exported_name(each.name),
            kind=_KINDS[next(iter(get_args(types[each.name])), types[each.name])],
            secret="secret" in each.metadata,
        )
        for each in fields(Outputs)
    )


def read(stack: str, *, opts: pulumi.ResourceOptions | None = None) -> Outputs:
    """Read the outputs of another stack, which its last `up` left: they are known in a preview too.

    `stack` is its whole name, `<organization>/<project>/<stack>`; where the state is kept in files or in S3,
    every organization is called `organization`. Every value fails with a ContractError, and the program with
    it, when the stack gives out another version of the contract, or lacks any output of this one.
    """
    reference = pulumi.StackReference(stack, opts=opts)
    version = reference.get_output(_VERSION)

    def value(output: Described) -> pulumi.Output[Any]:
        found = pulumi.Output.all(version, reference.get_output(output.key)).apply(
            lambda given: _checked(given[1], version=given[0], output=output, stack=stack)
        )
        return pulumi.Output.secret(found) if output.secret else found

    values: dict[str, Any] = {each.attribute: value(each) for each in described() if each.key != _VERSION}
    return Outputs(**values)


def _checked(value: object, *, version: object, output: Described, stack: str) -> object:
    """Hand on the value, once it is what the contract says. What it is stays unsaid: it may be secret."""
    if version is None:
        raise ContractError(
            f"The stack {stack} has no output {_VERSION}, by which a stack of ejemplo-django says what it "
            "gives out. Either it is another program's (`pulumi stack ls --all` lists all names), or none of "
            "its updates has succeeded yet: bring it up, then run this again."
        )
    if version != SCHEMA_VERSION:
        # On the wire every number is a float.
        found = f"{version:g}" if isinstance(version, int | float) else repr(version)
        newer = isinstance(version, int | float) and version > SCHEMA_VERSION
        remedy = (
            "Install the ejemplo-django-outputs of the stack's version here, and adapt the program to it."
            if newer
            else f"Bring the stack up with ejemplo-django of version {SCHEMA_VERSION}."
        )
        raise ContractError(
            f"The stack {stack} gives out version {found} of its contract, which is "
            f"{'newer' if newer else 'older'} than version {SCHEMA_VERSION}, which this program reads. "
            f"{remedy}"
        )
    if value is None:
        raise ContractError(
            f"The stack {stack} has no output {output.key}, which version {SCHEMA_VERSION} of its contract "
            "has: it was brought up before there was one. Bring it up again, then run this again."
        )
    if not _is(output.kind, value):
        raise ContractError(
            f"The output {output.key} of the stack {stack} came as {type(value).__name__}, and version "
            f"{SCHEMA_VERSION} of its contract has {output.kind} there. Correct what that stack exports."
        )
    return value


def _is(kind: str, value: object) -> bool:
    if kind == "array of strings":
        return isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, str if kind == "string" else int)


def exported_name(attribute: str) -> str:
    """Give the name in the stack of one of Outputs: `zone_id` is exported as `zoneId`."""
    first, *others = attribute.split("_")
    return first + "".join(word.capitalize() for word in others)
