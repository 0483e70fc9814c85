"""The engine's side of the stand-in for the docker plugin: starts its process and speaks its protocol."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2 as pb, provider_pb2_grpc

ROOT = Path(__file__).parents[2]
UNKNOWN = rpc.UNKNOWN
IMAGE = "docker:index/image:Image"


def secret(value: Any) -> dict[str, Any]:
    """Return a secret in the format of the protocol."""
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


def packed(properties: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(properties)
    return message


def unpacked(message: struct_pb2.Struct) -> dict[str, Any]:
    return dict(json_format.MessageToDict(message))


def plain(value: Any) -> Any:
    """Return the value as the engine sends it to a plugin that does not accept secrets."""
    if rpc.is_rpc_secret(value):
        return plain(rpc.unwrap_rpc_secret(value))
    return {name: plain(each) for name, each in value.items()} if isinstance(value, dict) else value


def urn(kind: str) -> str:
    return f"urn:pulumi:test::project::parent:index:Type${kind}::thing"


class RefusedError(Exception):
    """The plugin refused inputs."""


@dataclass
class Log(engine_pb2_grpc.EngineServicer):
    """The plugin's log entries, each with its resource."""

    entries: list[Any] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802, the protocol's name
        with self.changed:
            self.entries.append(request)
            self.changed.notify_all()
        return empty_pb2.Empty()

    def until(self, pattern: str) -> Any:
        """Wait for the first entry whose message matches the pattern anywhere, and return it."""

        def found() -> Any:
            return next((each for each in self.entries if re.search(pattern, each.message)), None)

        with self.changed:
            assert self.changed.wait_for(found, timeout=20), self.entries
        return found()


@dataclass(frozen=True)
class Plugin:
    """The started plugin."""

    stub: Any
    log: Log

    def check(self, inputs: dict[str, Any], *, kind: str = IMAGE) -> dict[str, Any]:
        answer = self.stub.Check(pb.CheckRequest(urn=urn(kind), news=packed(inputs)))
        if answer.failures:
            assert not any(each.property for each in answer.failures), "the engine prints the value of what is named"
            raise RefusedError("\n".join(each.reason for each in answer.failures))
        return unpacked(answer.inputs)

    def create(self, inputs: dict[str, Any], *, preview: bool = False) -> dict[str, Any]:
        return unpacked(self.creation(inputs, preview=preview).result().properties)

    def creation(self, inputs: dict[str, Any], *, preview: bool = False) -> Any:
        """Start a create, and return its future."""
        checked = packed(plain(self.check(inputs)))
        return self.stub.Create.future(pb.CreateRequest(urn=urn(IMAGE), properties=checked, preview=preview))

    def update(self, old: dict[str, Any], inputs: dict[str, Any]) -> dict[str, Any]:
        olds, news = (packed(plain(self.check(each))) for each in (old, inputs))
        return unpacked(self.stub.Update(pb.UpdateRequest(urn=urn(IMAGE), old_inputs=olds, news=news)).properties)

    def changes(self, old: dict[str, Any], inputs: dict[str, Any], *, ignore: tuple[str, ...] = ()) -> dict[str, str]:
        """Return the kind of each difference between old inputs, already checked, and new ones, by its path."""
        olds, news = (packed(plain(each)) for each in (old, self.check(inputs)))
        answer = self.stub.Diff(pb.DiffRequest(urn=urn(IMAGE), old_inputs=olds, news=news, ignoreChanges=ignore))
        assert not answer.replaces
        assert (answer.changes == pb.DiffResponse.DIFF_SOME) is bool(answer.detailedDiff)
        return {path: pb.PropertyDiff.Kind.Name(each.kind) for path, each in answer.detailedDiff.items()}


@contextmanager
def plugin(**variables: str) -> Iterator[Plugin]:
    """Start the stand-in as the engine does, with extra variables. On SIGINT it must exit without output."""
    log, server = Log(), grpc.server(ThreadPoolExecutor())
    engine_pb2_grpc.add_EngineServicer_to_server(log, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    command = [sys.executable, "-u", "-m", "sandbox.plugins.docker", "--logtostderr", address]
    env, pipe = os.environ | variables, subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield Plugin(provider_pb2_grpc.ResourceProviderStub(channel), log)
        finally:
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")
    server.stop(grace=None).wait()
