"""The requests of the engine, answered for one stand-in."""

import json
import threading
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import proto
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from sandbox.plugins import diff
from sandbox.plugins.resource import (
    Call,
    Function,
    InvalidInputError,
    PartialFailureError,
    Plugin,
    PluginError,
    ResourceType,
)
from sandbox.plugins.schema import Schema, faults
from sandbox.plugins.status import abort_initialization
from sandbox.plugins.values import UNKNOWN, Path, Properties, dump, is_known, load, show_path

ENGINE_INPUTS = frozenset({"version", "pluginDownloadURL", "__internal", "__defaults"})
"""Provider inputs that belong to the engine, not to the provider."""


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Answers the engine's requests for one plugin."""

    def __init__(self, plugin: Plugin, *, engine: str = "") -> None:
        """Serve `plugin`, logging to the engine at the address `engine` (empty until the engine attaches)."""
        self._plugin = plugin
        self._types: dict[str, ResourceType] = {}
        self._functions: dict[str, Function] = {}
        self._cancelled = threading.Event()
        self._engine: engine_pb2_grpc.EngineStub | None = None
        if engine:
            self._attach(engine)

    def _attach(self, address: str) -> None:
        channel = grpc.insecure_channel(address, options=_GRPC_CHANNEL_OPTIONS)
        self._engine = engine_pb2_grpc.EngineStub(channel)

    def GetPluginInfo(self, request: Any, context: Any) -> proto.PluginInfo:  # noqa: N802, the protocol's name
        """Tell the version."""
        return proto.PluginInfo(version=self._plugin.version)

    def Attach(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Take the engine's address when the engine found a plugin that was running already."""
        self._attach(request.address)
        return empty_pb2.Empty()

    def Handshake(self, request: Any, context: Any) -> provider_pb2.ProviderHandshakeResponse:  # noqa: N802
        """Agree to secrets as typed values."""
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Wake whatever waits: the user has interrupted."""
        self._cancelled.set()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse provider inputs that are not implemented."""
        failures = list(map(_failure, faults(self._plugin.config, self._config(request.news))))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """Compare the provider's own inputs."""
        old, new = self._config(request.old_inputs), self._config(request.news)
        replace_on = self._plugin.replace_on | self._plugin.replaces(old, new)
        # only the names: the engine keeps the insides as JSON text and could not show a path into it
        found = {path[:1]: kind for path, kind in diff.changes(old, new).items()}
        return diff.response(found, inputs=self._plugin.config, replace_on=replace_on, delete_first=False)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802
        """Build the types and functions from the provider's inputs."""
        types, functions = self._plugin.build(self._config(request.args))
        self._types = {each.token: each for each in types}
        self._functions = {each.token: each for each in functions}
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def _config(self, message: struct_pb2.Struct) -> Properties:
        """Read provider inputs; the SDKs send those that are not strings as JSON text."""
        given = {name: value for name, value in load(message)[0].items() if name not in ENGINE_INPUTS}
        return {name: _from_json(self._plugin.config.get(name, str), value) for name, value in given.items()}

    def Invoke(self, request: Any, context: Any) -> provider_pb2.InvokeResponse:  # noqa: N802
        """Call a function."""
        if request.tok not in self._functions:
            raise PluginError(self._only("function", request.tok, self._functions))
        function = self._functions[request.tok]
        arguments, secrets = load(request.args)
        failures = list(map(_failure, faults(function.inputs, arguments)))
        if failures:
            return provider_pb2.InvokeResponse(failures=failures)
        known = is_known(arguments)
        answer = function.call(arguments) if known else dict.fromkeys(function.outputs, UNKNOWN)
        hidden = {(name,) for name in answer} if secrets else set()
        return provider_pb2.InvokeResponse(**{"return": dump(answer, hidden)})

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse what is not implemented, fill in defaults."""
        kind = self._type(request.urn)
        try:
            inputs, secrets = load(request.news)
        except ValueError as error:
            return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=str(error))])
        inputs.pop("__defaults", None)
        failures = list(map(_failure, faults(kind.inputs, inputs)))
        missing = (name for name in sorted(kind.required) if inputs.get(name) is None)
        failures += [_failure(((name,), "must be given")) for name in missing]
        if failures:
            return provider_pb2.CheckResponse(failures=failures)
        try:
            checked = kind.check(inputs, old=load(request.olds)[0], call=self._call(request, seed=request.randomSeed))
        except InvalidInputError as refusal:
            failure = provider_pb2.CheckFailure(reason=f"{refusal.path}: {refusal}")
            return provider_pb2.CheckResponse(failures=[failure])
        return provider_pb2.CheckResponse(inputs=dump(checked, secrets | _paths(kind.secrets)))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """Compare the old inputs with the new ones."""
        kind = self._type(request.urn)
        old, new = (kind.comparable(load(each)[0]) for each in (request.old_inputs, request.news))
        found = diff.without_left_out(diff.changes(old, new), kind.filled_in)
        if not found:
            state, planned = load(request.olds)[0], kind.planned(load(request.news)[0])
            found = {(name,): diff.UPDATE for name, value in planned.items() if state.get(name) != value}
        return diff.response(
            diff.without_ignored(found, request.ignoreChanges),
            inputs=kind.inputs,
            replace_on=kind.replaces(old, new),
            delete_first=kind.deletes_first(old, new),
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802
        """Make a resource, or foretell it."""
        kind, (inputs, secrets) = self._type(request.urn), load(request.properties)
        secrets |= _paths(kind.secrets)
        if request.preview:
            return provider_pb2.CreateResponse(properties=dump(kind.preview(inputs, state=None), secrets))
        try:
            made, outputs = kind.create(inputs, call=self._call(request))
        except PartialFailureError as failure:
            abort_initialization(context, failure, inputs, secrets)
        return provider_pb2.CreateResponse(id=made, properties=dump(outputs, secrets))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: N802
        """Look at a resource as it is now; an empty answer says that it is gone."""
        kind, (state, secrets), (inputs, more) = (
            self._type(request.urn),
            load(request.properties),
            load(request.inputs),
        )
        secrets |= more | _paths(kind.secrets)
        try:
            outputs = kind.read(request.id, state=state, call=self._call(request))
        except PartialFailureError as failure:
            live = kind.live_inputs(failure.outputs, old=inputs)
            abort_initialization(context, failure, live, secrets)
        if outputs is None:
            return provider_pb2.ReadResponse()
        live = kind.live_inputs(outputs, old=inputs)
        return provider_pb2.ReadResponse(id=request.id, properties=dump(outputs, secrets), inputs=dump(live, secrets))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: N802
        """Change a resource in place, or foretell it."""
        kind, state, (inputs, secrets) = self._type(request.urn), load(request.olds)[0], load(request.news)
        secrets |= _paths(kind.secrets)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=dump(kind.preview(inputs, state=state), secrets))
        try:
            outputs = kind.update(request.id, state=state, inputs=inputs, call=self._call(request))
        except PartialFailureError as failure:
            abort_initialization(context, failure, inputs, secrets)
        return provider_pb2.UpdateResponse(properties=dump(outputs, secrets))

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Delete a resource."""
        kind, state = self._type(request.urn), load(request.properties)[0]
        kind.delete(request.id, state=state, call=self._call(request))
        return empty_pb2.Empty()

    def _type(self, urn: str) -> ResourceType:
        token = urn.split("::")[2].split("$")[-1]
        if token not in self._types:
            raise PluginError(self._only("resource type", token, self._types))
        return self._types[token]

    def _only(self, what: str, token: str, known: dict[str, Any]) -> str:
        names = ", ".join(sorted(known)) or "none"
        return (
            f"{what} {token} is not in this stand-in for {self._plugin.name}, which implements only "
            f"{names}. Use the official plugin, or take it out of the program."
        )

    def _call(self, request: Any, *, seed: bytes = b"") -> Call:
        def log(line: str) -> None:
            if self._engine:
                entry = engine_pb2.LogRequest(severity=engine_pb2.INFO, message=line, urn=request.urn, ephemeral=True)
                self._engine.Log(entry)

        timeout = getattr(request, "timeout", 0)
        return Call(urn=request.urn, timeout=timeout, seed=seed, log=log, cancelled=self._cancelled)


def _failure(fault: tuple[Path, str]) -> provider_pb2.CheckFailure:
    path, reason = fault
    # the engine prints the value of a property that it is told about, and this one may be secret
    return provider_pb2.CheckFailure(reason=f"{show_path(path)}: {reason}")


def _paths(dotted: frozenset[str]) -> set[Path]:
    return {tuple(name.split(".")) for name in dotted}


def _from_json(schema: Schema, value: Any) -> Any:
    if schema is str or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value  # its type is then refused by name
