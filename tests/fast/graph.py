"""Runs the program against a monitor that declares nothing and remembers everything.

What a resource answers is what it was given, and what COMPUTED says the cloud adds to it. Whatever is not in
that table (a type, an invoke) fails by name: the recorder invents nothing.
"""

import asyncio
import contextvars
import copy
import json
import runpy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import mocks, proto, rpc
from pulumi.runtime.stack import run_pulumi_func

ROOT = Path(__file__).parents[2]
PROJECT = "ejemplo-django"
UNKNOWN = rpc.UNKNOWN
Inputs = dict[str, Any]

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://cluster.test:6443"}}]
users: [{name: admin, user: {token: kubeconfig-token}}]
contexts: [{name: admin@test, context: {cluster: test, user: admin}}]
current-context: admin@test
"""
PASSWORD = "registry-password-of-the-tests"
DIGEST = "registry.example.test:5000/contraslash/ejemplo-django@sha256:" + "5" * 64
CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/requested"
ELB = "a0b1c2.us-east-1.elb.amazonaws.com"
MADE_KEY = "the-key-that-the-random-key-made"
NAME_SERVERS = ["ns-1.awsdns.test", "ns-2.awsdns.test"]


def _nothing(name: str, inputs: Inputs) -> Inputs:
    return {}


def _object(name: str, inputs: Inputs) -> Inputs:
    """Name a Kubernetes object as the provider does when the program gives it no name."""
    metadata = inputs.get("metadata", {})
    return {"metadata": {"name": f"{name}-0a1b2c3d", **metadata}}


COMPUTED: Mapping[str, Callable[[str, Inputs], Inputs]] = {
    "pulumi:providers:aws": _nothing,
    "pulumi:providers:kubernetes": _nothing,
    "aws:route53/zone:Zone": lambda _, inputs: {"zoneId": "ZONE", "nameServers": NAME_SERVERS},
    "aws:route53/record:Record": lambda _, inputs: {"fqdn": inputs["name"]},
    "aws:acm/certificate:Certificate": lambda _, inputs: {
        "arn": CERTIFICATE,
        "domainValidationOptions": [
            {
                "domainName": inputs["domainName"],
                "resourceRecordName": f"_proof.{inputs['domainName']}",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": "_proof.acm.test",
            }
        ],
    },
    "aws:acm/certificateValidation:CertificateValidation": _nothing,
    "aws:s3/bucket:Bucket": lambda _, inputs: {"arn": f"arn:aws:s3:::{inputs['bucket']}"},
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _nothing,
    "aws:s3/bucketPolicy:BucketPolicy": _nothing,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _nothing,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _nothing,
    "aws:s3/bucketVersioning:BucketVersioning": _nothing,
    "docker:index/image:Image": lambda _, inputs: {"repoDigest": DIGEST},
    "kubernetes:apps/v1:Deployment": _object,
    "kubernetes:core/v1:Secret": _object,
    "kubernetes:core/v1:Service": lambda name, inputs: {
        **_object(name, inputs),
        "status": {"loadBalancer": {"ingress": [{"hostname": ELB}]}},
    },
    "kubernetes:policy/v1:PodDisruptionBudget": _object,
    "pulumi-python:dynamic/ejemplo-django:RandomKey": lambda _, inputs: {"value": MADE_KEY},
}
INVOKES: Mapping[str, Inputs] = {"aws:elb/getHostedZoneId:getHostedZoneId": {"id": "ELB-ZONE"}}


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the program handed over as a secret."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A resource or an invoke, as the engine would have been asked for it."""

    type: str
    name: str
    urn: str
    parent: str
    provider: str
    """`<urn>::<id>` of an explicit provider, empty for a default one."""
    protect: bool
    custom: bool
    inputs: Inputs
    """With a Secret around whatever is one."""
    dependencies: frozenset[str]
    """URNs of what it waits for, and goes before when all is destroyed."""
    secret_outputs: tuple[str, ...]


@dataclass(slots=True)
class Graph:
    """All that one run of the program declared."""

    declared: list[Declared] = field(default_factory=list)
    invoked: list[Declared] = field(default_factory=list)
    exports: dict[str, Any] = field(default_factory=dict)
    """With a Secret around whatever is one, and UNKNOWN for what only an `up` would know."""

    @property
    def resources(self) -> list[Declared]:
        """All but the components."""
        return [each for each in self.declared if each.custom]

    def of(self, type_: str) -> list[Declared]:
        """All resources of the type, by its whole token or the end of it."""
        return [each for each in self.resources if each.type == type_ or each.type.endswith(f":{type_}")]

    def one(self, type_: str, **inputs: Any) -> Declared:
        """The only one of the type with these inputs."""
        found = [each for each in self.of(type_) if inputs.items() <= plain(each.inputs).items()]
        assert len(found) == 1, f"{len(found)} of {type_} with {inputs}, expected one"
        return found[0]


def plain(value: Any) -> Any:
    """Take the Secrets off a value."""
    match value:
        case Secret(inner):
            return plain(inner)
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
    return value


def texts(value: Any, *, secret: bool = False) -> Iterator[tuple[str, bool]]:
    """Every text in a value, with whether it is secret."""
    match value:
        case Secret(inner):
            yield from texts(inner, secret=True)
        case dict():
            for each in value.values():
                yield from texts(each, secret=secret)
        case list():
            for each in value:
                yield from texts(each, secret=secret)
        case str():
            yield value, secret


def _marked(value: Any) -> Any:
    """Turn the wire's secrets into Secrets."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return Secret(_marked(value["value"]))
        return {key: _marked(each) for key, each in value.items()}
    return [_marked(each) for each in value] if isinstance(value, list) else value


class _Recorder(mocks.MockMonitor):
    """Answers as the engine would, secrets and unknowns included, and keeps what it was asked."""

    def __init__(self, graph: Graph, *, preview: bool) -> None:
        super().__init__(_NoMocks())
        self._graph = graph
        self._preview = preview

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        """Record a resource and answer with its inputs and, unless this is a preview, what the cloud adds."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return proto.resource_pb2.RegisterResourceResponse(urn=urn)
        given: Inputs = json_format.MessageToDict(request.object)
        declared = Declared(
            type=request.type,
            name=request.name,
            urn=urn,
            parent=request.parent,
            provider=request.provider,
            protect=request.protect,
            custom=request.custom,
            inputs=_marked(given),
            dependencies=frozenset(request.dependencies),
            secret_outputs=tuple(request.additionalSecretOutputs),
        )
        assert urn not in [each.urn for each in self._graph.declared], f"declared twice: {urn}"
        self._graph.declared.append(declared)
        if not request.custom:
            return proto.resource_pb2.RegisterResourceResponse(urn=urn)
        assert request.type in COMPUTED, f"the recorder knows no type {request.type}"
        state = dict(given)
        if not self._preview:
            state |= COMPUTED[request.type](request.name, given)
            for key in state.keys() & set(request.additionalSecretOutputs):
                state[key] = {rpc._special_sig_key: rpc._special_secret_sig, "value": state[key]}
        return proto.resource_pb2.RegisterResourceResponse(
            urn=urn,
            id="" if self._preview else f"{request.name}-id",
            object=json_format.ParseDict(state, struct_pb2.Struct()),
        )

    def Invoke(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        """Record an invoke and answer it from INVOKES."""
        assert request.tok in INVOKES, f"the recorder knows no invoke {request.tok}"
        self._graph.invoked.append(
            Declared(
                type=request.tok,
                name="",
                urn="",
                parent="",
                provider=request.provider,
                protect=False,
                custom=False,
                inputs=_marked(json_format.MessageToDict(request.args)),
                dependencies=frozenset(),
                secret_outputs=(),
            )
        )
        answer = json_format.ParseDict(INVOKES[request.tok], struct_pb2.Struct())
        return proto.resource_pb2.ResourceInvokeResponse(**{"return": answer})


class _NoMocks(pulumi.runtime.Mocks):
    """MockMonitor wants some; the recorder answers before they are asked."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, Inputs]:
        raise AssertionError(f"not recorded: {args.typ}")

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"not recorded: {args.token}")


def settings(directory: Path) -> Inputs:
    """A configuration that is accepted, by key, with the files that it names made in the directory."""
    (directory / "kubeconfig").write_text(KUBECONFIG)
    (directory / "password").write_text(f"{PASSWORD}\n")
    (directory / "context").mkdir(exist_ok=True)
    (directory / "context" / "Dockerfile").touch()
    return {
        "domain": "dev.example.com",
        "aws": {"region": "us-east-1", "tags": {"project": "ejemplo-django"}},
        "cluster": {
            "driver": "existing",
            "name": "useast1.dev.example.com",
            "kubeconfigFile": str(directory / "kubeconfig"),
        },
        "registry": {
            "server": "registry.example.test:5000",
            "username": "ci",
            "email": "ci@example.test",
            "passwordFile": str(directory / "password"),
        },
        "image": {"context": str(directory / "context")},
    }


ABSENT = object()
"""As the value of a change: take the key away."""


def changed(config: Inputs, changes: Mapping[str, Any]) -> Inputs:
    """A copy of the configuration with other values; the changes are by path, such as `app.port`."""
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *parents, key = path.split(".", maxsplit=1) if "." in path else [path]
        place = config
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ABSENT:
            del place[key]
        else:
            place[key] = value
    return config


def run(
    program: Callable[[], object], *, config: Inputs, encrypted: tuple[str, ...] = (), preview: bool = False
) -> Graph:
    """Run a program with a configuration; `encrypted` are the top keys in which Pulumi has a secret.

    Each has its own event loop and its own copy of the SDK's state, so that nothing of it reaches the next.
    """
    graph = Graph()
    # As the engine hands it over: texts as they are, everything else as JSON.
    handed = {
        f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in config.items()
    }

    async def main() -> None:
        pulumi.runtime.set_all_config(handed, [f"{PROJECT}:{key}" for key in encrypted])
        monitor = _Recorder(graph, preview=preview)
        pulumi.runtime.set_mocks(_NoMocks(), project=PROJECT, stack="test", preview=preview, monitor=monitor)
        await run_pulumi_func(lambda: _call(program))
        stack = pulumi.runtime.get_root_resource()
        for name, value in getattr(stack, "outputs", {}).items():
            output = pulumi.Output.from_input(value)
            found = await output.future() if await output.is_known() else UNKNOWN
            graph.exports[name] = Secret(found) if await output.is_secret() else found

    try:
        contextvars.copy_context().run(asyncio.run, main())
    except pulumi.RunError as error:
        error.add_note(f"{len(graph.declared)} resources were declared before")
        raise
    return graph


def _call(program: Callable[[], object]) -> None:
    program()


def declare(config: Inputs, *, encrypted: tuple[str, ...] = (), preview: bool = False) -> Graph:
    """Run the whole program, from its `__main__.py`."""
    return run(
        lambda: runpy.run_path(str(ROOT / "__main__.py")), config=config, encrypted=encrypted, preview=preview
    )
