"""What the engine does with a provider plugin, over the same protocol, for the tests of the stand-ins."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.plugins.host import serve
from sandbox.plugins.resource import Plugin
from sandbox.plugins.servicer import Servicer

UNKNOWN = rpc.UNKNOWN


def secret(value: Any) -> dict[str, Any]:
    """A secret as it looks on the wire."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def packed(properties: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(properties)
    return message


def unpacked(message: struct_pb2.Struct) -> dict[str, Any]:
    return dict(json_format.MessageToDict(message))


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource in the engine's state."""

    urn: str
    id: str
    inputs: dict[str, Any]
    state: dict[str, Any]


class RefusedError(Exception):
    """The plugin refused inputs."""


@dataclass(frozen=True)
class Engine:
    """Speaks to one configured plugin."""

    stub: Any

    def configure(self, **config: Any) -> None:
        checked = self.stub.CheckConfig(pb.CheckRequest(urn=urn("pulumi:providers:x"), news=packed(config)))
        self._raise(checked)
        self.stub.Configure(pb.ConfigureRequest(args=packed(config), acceptSecrets=True))

    def check(self, kind: str, inputs: dict[str, Any], *, old: dict[str, Any] | None = None) -> dict[str, Any]:
        request = pb.CheckRequest(
            urn=urn(kind), olds=packed(old or {}), news=packed(inputs), randomSeed=bytes(range(32))
        )
        answer = self.stub.Check(request)
        self._raise(answer)
        return unpacked(answer.inputs)

    def preview(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
        checked = packed(self.check(kind, inputs))
        return unpacked(self.stub.Create(pb.CreateRequest(urn=urn(kind), properties=checked, preview=True)).properties)

    def create(self, kind: str, inputs: dict[str, Any], *, timeout: float = 0) -> Resource:
        checked = self.check(kind, inputs)
        made = self.stub.Create(pb.CreateRequest(urn=urn(kind), properties=packed(checked), timeout=timeout))
        return Resource(urn=urn(kind), id=made.id, inputs=checked, state=unpacked(made.properties))

    def diff(self, resource: Resource, inputs: dict[str, Any], *, ignore: tuple[str, ...] = ()) -> Any:
        return self.stub.Diff(
            pb.DiffRequest(
                urn=resource.urn,
                id=resource.id,
                olds=packed(resource.state),
                old_inputs=packed(resource.inputs),
                news=packed(self.check(kind_of(resource), inputs, old=resource.inputs)),
                ignoreChanges=ignore,
            )
        )

    def changes(self, resource: Resource, inputs: dict[str, Any]) -> dict[str, str]:
        """The paths that differ, each with the kind of its difference."""
        found = self.diff(resource, inputs).detailedDiff
        return {path: pb.PropertyDiff.Kind.Name(each.kind) for path, each in found.items()}

    def update(self, resource: Resource, inputs: dict[str, Any]) -> Resource:
        checked = self.check(kind_of(resource), inputs, old=resource.inputs)
        answer = self.stub.Update(
            pb.UpdateRequest(
                urn=resource.urn,
                id=resource.id,
                olds=packed(resource.state),
                old_inputs=packed(resource.inputs),
                news=packed(checked),
            )
        )
        return Resource(urn=resource.urn, id=resource.id, inputs=checked, state=unpacked(answer.properties))

    def refresh(self, resource: Resource) -> Resource | None:
        request = pb.ReadRequest(
            urn=resource.urn,
            id=resource.id,
            properties=packed(resource.state),
            inputs=packed(resource.inputs),
        )
        answer = self.stub.Read(request)
        if not answer.id:
            return None
        return Resource(
            urn=resource.urn,
            id=answer.id,
            inputs=unpacked(answer.inputs),
            state=unpacked(answer.properties),
        )

    def refreshed(self, resource: Resource) -> Resource:
        live = self.refresh(resource)
        assert live is not None
        return live

    def delete(self, resource: Resource) -> None:
        request = pb.DeleteRequest(urn=resource.urn, id=resource.id, properties=packed(resource.state))
        self.stub.Delete(request)

    def invoke(self, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        answer = self.stub.Invoke(pb.InvokeRequest(tok=function, args=packed(arguments)))
        self._raise(answer)
        return unpacked(getattr(answer, "return"))

    def _raise(self, answer: Any) -> None:
        if answer.failures:
            raise RefusedError("; ".join(failure.reason for failure in answer.failures))


@contextmanager
def engine(plugin: Plugin, **config: Any) -> Iterator[Engine]:
    """Serve the plugin and configure it."""
    server, port = serve(Servicer(plugin))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        speaking = Engine(provider_pb2_grpc.ResourceProviderStub(channel))
        speaking.configure(**config)
        yield speaking
    server.stop(grace=None).wait()


def urn(kind: str) -> str:
    return f"urn:pulumi:test::project::{kind}::thing"


def kind_of(resource: Resource) -> str:
    return resource.urn.split("::")[2]
