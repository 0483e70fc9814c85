"""Runs the program against a monitor that declares nothing and remembers everything.

What a resource answers is what it was given, and what `example.COMPUTED` says the cloud adds to it. Whatever is not
in that table (a type, an invoke) fails by name: the recorder invents nothing.
"""

import asyncio
import contextvars
import json
import runpy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pulumi
import yaml
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import mocks, proto, rpc
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func

from tests.example import COMPUTED, INVOKES, READS, Inputs

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

PROJECT = str(yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["name"])
"""The name in Pulumi.yaml, with which every key of the configuration begins."""

UNKNOWN = rpc.UNKNOWN
"""What stands in a preview for a value that only an `up` would know."""


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
    sources: Mapping[str, frozenset[str]]
    """By the name of an input, the URNs of what it was made from."""
    secret_outputs: tuple[str, ...]


@dataclass(slots=True)
class Graph:
    """All that one run of the program declared."""

    declared: list[Declared] = field(default_factory=list)
    invoked: list[Declared] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """The ids of what the program only looks at, which belongs to others."""
    hooks: list[pulumi.ResourceHook] = field(default_factory=list)
    """What the engine would call before or after it changes a resource."""
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
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {type_} with {inputs}, expected one")
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

    def __init__(self, graph: Graph, *, values: Mapping[str, str], preview: bool) -> None:
        super().__init__(NoMocks())
        self._values = {key.rpartition(":")[2]: each for key, each in values.items()}
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
            sources={key: frozenset(each.urns) for key, each in request.propertyDependencies.items()},
            secret_outputs=tuple(request.additionalSecretOutputs),
        )
        if urn in [each.urn for each in self._graph.declared]:
            raise ValueError(f"declared twice: {urn}")
        self._graph.declared.append(declared)
        if not request.custom:
            return proto.resource_pb2.RegisterResourceResponse(urn=urn)
        state = dict(given)
        if not self._preview:
            if request.type not in COMPUTED:
                raise LookupError(f"the recorder knows no type {request.type}: add it to tests.example.COMPUTED")
            state |= COMPUTED[request.type](request.name, given)
            for key in state.keys() & set(request.additionalSecretOutputs):
                state[key] = {rpc._special_sig_key: rpc._special_secret_sig, "value": state[key]}
        return proto.resource_pb2.RegisterResourceResponse(
            urn=urn,
            id="" if self._preview else f"{request.name}-id",
            object=json_format.ParseDict(state, struct_pb2.Struct()),
        )

    def ReadResource(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        """Answer from READS for what is not the program's own, such as another stack."""
        if request.type not in READS:
            raise LookupError(f"the recorder knows no {request.type} of others: add it to tests.example.READS")
        self._graph.read.append(request.id)
        state = READS[request.type](request.id, self._values)
        return proto.resource_pb2.ReadResourceResponse(
            urn=self.make_urn(request.parent, request.type, request.name),
            properties=json_format.ParseDict(state, struct_pb2.Struct()),
        )

    def Invoke(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        """Record an invoke and answer it from INVOKES."""
        if request.tok not in INVOKES:
            raise LookupError(f"the recorder knows no invoke {request.tok}: add it to tests.example.INVOKES")
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
                sources={},
                secret_outputs=(),
            )
        )
        # What is asked by comes back as it was asked.
        asked = json_format.MessageToDict(request.args)
        answer = json_format.ParseDict(INVOKES[request.tok] | asked, struct_pb2.Struct())
        return proto.resource_pb2.ResourceInvokeResponse(**{"return": answer})


class _Callbacks:
    """Where the engine would find the program's hooks; the recorder keeps them and calls none."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Record a hook."""
        self._graph.hooks.append(hook)


class NoMocks(pulumi.runtime.Mocks):
    """MockMonitor wants some; the recorder answers before they are asked."""

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, Inputs]:
        """Never asked."""
        raise LookupError(f"not recorded: {args.typ}")

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        """Never asked."""
        raise LookupError(f"not recorded: {args.token}")


def record(
    program: Callable[[], object],
    *,
    values: Mapping[str, str],
    encrypted: Collection[str] = (),
    preview: bool = False,
    project: str | None = None,
) -> Graph:
    """Run a program with a configuration as the engine hands it over: by whole keys, JSON for what is no text.

    `encrypted` are the keys in which Pulumi has a secret; `project` is another than this one. In a preview, what the
    cloud would add is not known, and any type will do. Each run has its own event loop and its own copy of the
    SDK's state, so that nothing of it reaches the next. Raises whatever the program raises.
    """
    graph = Graph()
    of = project or PROJECT

    def called() -> None:
        program()

    async def main() -> None:
        pulumi.runtime.set_all_config(dict(values), list(encrypted))
        monitor = _Recorder(graph, values=values, preview=preview)
        pulumi.runtime.set_mocks(NoMocks(), project=of, stack="test", preview=preview, monitor=monitor)
        SETTINGS.callbacks = cast(Any, _Callbacks(graph))
        await run_pulumi_func(called)
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


def run(
    program: Callable[[], object], *, config: Inputs, encrypted: Collection[str] = (), preview: bool = False
) -> Graph:
    """Run a program with a configuration as a stack's file has it: by the project's own keys. Raises as `record`."""
    return record(
        program,
        values={
            f"{PROJECT}:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in config.items()
        },
        encrypted=[f"{PROJECT}:{key}" for key in encrypted],
        preview=preview,
    )


def whole_program() -> None:
    """The program, from its `__main__.py`."""
    runpy.run_path(str(ROOT / "__main__.py"))


def declare(config: Inputs, *, encrypted: Collection[str] = (), preview: bool = False) -> Graph:
    """Run the whole program with a configuration. Raises as `record`."""
    return run(whole_program, config=config, encrypted=encrypted, preview=preview)
