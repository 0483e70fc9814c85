"""Runs the program against a monitor that creates nothing and records everything.

The outputs of a resource are its inputs, and what `example.COMPUTED` says that the cloud adds. A type, a read or an
invoke that is not in the tables of `example` fails with its name: the recorder invents nothing.
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
"""The project's name in Pulumi.yaml: the prefix of every key of the configuration."""

UNKNOWN = rpc.UNKNOWN
"""Stands in a preview for a value that is known only after an `up`."""

_NO_MOCKS = cast(pulumi.runtime.Mocks, None)
"""Required by the SDK, but never called: the recorder answers instead."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that the program passed as a secret."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A resource or an invoke, as the program requests it from the engine."""

    type: str
    inputs: Inputs
    """Secret values are wrapped in Secret."""
    provider: str
    """`<urn>::<id>` of an explicit provider, empty for a default one."""
    name: str = ""
    urn: str = ""
    parent: str = ""
    protect: bool = False
    custom: bool = False
    dependencies: frozenset[str] = frozenset()
    """URNs of the resources that are created before it and deleted after it."""
    sources: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By the name of an input, the URNs of the resources that it was made from."""
    secret_outputs: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    """The paths of inputs whose changes the engine ignores."""
    aliases: tuple[str, ...] = ()
    """Other URNs that it may have in the state, with those that it has by its parent's."""


@dataclass(slots=True)
class Graph:
    """Everything that one run of the program declared."""

    declared: list[Declared] = field(default_factory=list)
    invoked: list[Declared] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """The ids of the resources that the program only reads: it does not own them."""
    hooks: list[pulumi.ResourceHook] = field(default_factory=list)
    """Hooks that the engine would call before or after it changes a resource."""
    exports: dict[str, Any] = field(default_factory=dict)
    """Secret values are wrapped in Secret; UNKNOWN stands for a value that is known only after an `up`."""

    @property
    def resources(self) -> list[Declared]:
        """Everything declared except components."""
        return [each for each in self.declared if each.custom]

    def of(self, type_: str) -> list[Declared]:
        """Return all resources of a type, given by its full token or the end of it."""
        return [each for each in self.resources if each.type == type_ or each.type.endswith(f":{type_}")]

    def one(self, type_: str, **inputs: Any) -> Declared:
        """Return the only resource of a type with these inputs. Raises LookupError if there is not exactly one."""
        found = [each for each in self.of(type_) if inputs.items() <= plain(each.inputs).items()]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {type_} with {inputs}, expected one")
        return found[0]


def plain(value: Any) -> Any:
    """Unwrap every Secret in a value."""
    match value:
        case Secret(inner):
            return plain(inner)
        case dict():
            return {key: plain(each) for key, each in value.items()}
        case list():
            return [plain(each) for each in value]
    return value


def texts(value: Any, *, secret: bool = False) -> Iterator[tuple[str, bool]]:
    """Yield every string in a value, and whether it is secret."""
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
    """Wrap in Secret what the protocol marks as secret."""
    if isinstance(value, dict):
        if value.get(rpc._special_sig_key) == rpc._special_secret_sig:
            return Secret(_marked(value["value"]))
        return {key: _marked(each) for key, each in value.items()}
    return [_marked(each) for each in value] if isinstance(value, list) else value


class _Recorder(mocks.MockMonitor):
    """Answers as the engine would, secrets and unknowns included, and records the requests."""

    def __init__(self, graph: Graph, *, values: Mapping[str, str], preview: bool) -> None:
        super().__init__(_NO_MOCKS)
        self._values = {key.rpartition(":")[2]: each for key, each in values.items()}
        self._graph = graph
        self._preview = preview

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        """Record a resource; answer with its inputs and, except in a preview, what the cloud adds."""
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
            ignored=tuple(request.ignoreChanges),
            aliases=tuple(each for each in self._names(request) if each != urn),
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

    def _names(self, request: Any) -> Iterator[str]:
        """Yield every URN by which the engine would find the resource in the state."""
        parents = [request.parent]
        parents += [alias for each in self._graph.declared if each.urn == request.parent for alias in each.aliases]
        for spec in (proto.alias_pb2.Alias.Spec(), *(each.spec for each in request.aliases)):
            for parent in [spec.parentUrn] if spec.parentUrn else parents:
                yield self.make_urn(parent, spec.type or request.type, spec.name or request.name)

    def ReadResource(self, request: Any) -> Any:  # noqa: N802  # the engine's name for it
        """Record a resource that the program does not own, such as another stack, and answer from READS."""
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
        inputs = _marked(json_format.MessageToDict(request.args))
        self._graph.invoked.append(Declared(type=request.tok, provider=request.provider, inputs=inputs))
        # An invoke returns its arguments too.
        asked = json_format.MessageToDict(request.args)
        answer = json_format.ParseDict(INVOKES[request.tok] | asked, struct_pb2.Struct())
        return proto.resource_pb2.ResourceInvokeResponse(**{"return": answer})


class _Callbacks:
    """Receives the program's hooks in place of the engine; records them and calls none."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Record a hook."""
        self._graph.hooks.append(hook)


def record(
    program: Callable[[], object],
    *,
    values: Mapping[str, Any],
    encrypted: Collection[str] = (),
    preview: bool = False,
    project: str | None = None,
) -> Graph:
    """Run a program with a configuration by full keys. As the engine does, pass JSON for values that are not strings.

    `encrypted` has the keys that contain a secret; `project` replaces this project's name. In a preview, what the cloud
    would add is unknown, and every type is accepted. Each run has its own event loop and its own copy of the SDK's
    state, so nothing of it reaches the next. Raises whatever the program raises.
    """
    graph = Graph()
    of = project or PROJECT
    given = {key: each if isinstance(each, str) else json.dumps(each) for key, each in values.items()}

    def called() -> None:
        program()

    async def main() -> None:
        # The outputs of a failed run stay in the old set, and this run would await them.
        SETTINGS.outputs = set()
        pulumi.runtime.set_all_config(given, list(encrypted))
        monitor = _Recorder(graph, values=given, preview=preview)
        pulumi.runtime.set_mocks(_NO_MOCKS, project=of, stack="test", preview=preview, monitor=monitor)
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
    """Run a program with a configuration by the project's own keys, without their prefix. Raises as `record` does."""
    return record(
        program,
        values={f"{PROJECT}:{key}": value for key, value in config.items()},
        encrypted=[f"{PROJECT}:{key}" for key in encrypted],
        preview=preview,
    )


def whole_program() -> None:
    """Run the whole program, `__main__.py`."""
    runpy.run_path(str(ROOT / "__main__.py"))


def declare(config: Inputs, *, encrypted: Collection[str] = (), preview: bool = False) -> Graph:
    """Run the whole program with a configuration. Raises as `record` does."""
    return run(whole_program, config=config, encrypted=encrypted, preview=preview)
