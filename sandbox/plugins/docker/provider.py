"""The provider of `docker:index/image:Image`.

It uses the SDK's generated protocol, not `pulumi.provider.experimental`: there, Diff does not get the old inputs, and
nothing can be logged on a resource. The provider does not accept secrets, so the engine sends plain values and marks
outputs of the same names as secret again.
"""

from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime import proto, rpc
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from sandbox.plugins.docker import inputs
from sandbox.plugins.docker.build import DockerError, make
from sandbox.plugins.process import Children

_IMAGE = "docker:index/image:Image"
_ENGINE_INPUTS = {"version", "pluginDownloadURL", "__internal", "__defaults"}
"""Inputs of the engine's, not of the provider or the resource."""


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Builds images and pushes them unless skipPush is set; an image's id is its name.

    As with the official provider, any change except of the registry's user or password builds again under the same id,
    refresh checks nothing, and deletion keeps the pushed image.
    """

    def __init__(self, engine: str, children: Children) -> None:
        """Take the address of the engine to log to, and the `children` that Cancel ends."""
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine, options=_GRPC_CHANNEL_OPTIONS))
        self._children = children

    def GetPluginInfo(self, request: Any, context: Any) -> proto.PluginInfo:  # noqa: N802, the protocol's name
        """Return the SDK's version: the engine requires one at least as new as the program's."""
        return proto.PluginInfo(version=version("pulumi-docker"))

    def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse every setting of the provider."""
        names = sorted(set(request.news) - _ENGINE_INPUTS)
        failures = [provider_pb2.CheckFailure(reason=f"{name}: this stand-in takes no configuration") for name in names]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:  # noqa: N802
        """Accept: there is nothing to configure."""
        return provider_pb2.ConfigureResponse(supportsPreview=True)

    def Cancel(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """End the running builds and pushes after an interrupt."""
        self._children.cancel()
        return empty_pb2.Empty()

    def Check(self, request: Any, context: Any) -> provider_pb2.CheckResponse:  # noqa: N802
        """Refuse inputs that cannot be built, and fill in defaults."""
        _refuse_others(request, context)
        given = {name: value for name, value in _plain(request.news).items() if name not in _ENGINE_INPUTS}
        try:
            checked = inputs.checked(given)
        except inputs.InputError as refused:
            # Without the property's name: the engine would print its value, even of a secret.
            return provider_pb2.CheckResponse(failures=[provider_pb2.CheckFailure(reason=str(refused))])
        if "password" in checked["registry"]:  # secret even if the program did not mark it
            checked["registry"]["password"] = rpc.wrap_rpc_secret(checked["registry"]["password"])
        return provider_pb2.CheckResponse(inputs=_packed(checked))

    def Diff(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """Compare the old inputs with the new ones."""
        old, new = _plain(request.old_inputs), _plain(request.news)
        found = inputs.differences(old, new, ignored=request.ignoreChanges)
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if found else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({path.partition(".")[0] for path in found}),
            hasDetailedDiff=True,
            detailedDiff={path: provider_pb2.PropertyDiff(kind=kind, inputDiff=True) for path, kind in found.items()},
        )

    def Create(self, request: Any, context: Any) -> provider_pb2.CreateResponse:  # noqa: N802
        """Build and push; in a preview, only return what is known."""
        given = _plain(request.properties)
        return provider_pb2.CreateResponse(id=given["imageName"], properties=self._make(given, request, context))

    def Update(self, request: Any, context: Any) -> provider_pb2.UpdateResponse:  # noqa: N802
        """Build and push again; in a preview, only return what is known."""
        return provider_pb2.UpdateResponse(properties=self._make(_plain(request.news), request, context))

    def Read(self, request: Any, context: Any) -> provider_pb2.ReadResponse:  # noqa: N802
        """Return the state unchanged. Aborts an import, which has none."""
        _refuse_others(request, context)
        if not request.properties.fields:
            reason = f"{request.id}: an image cannot be imported; declare it to have it built"
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        """Forget the image; the pushed one stays in the registry."""
        _refuse_others(request, context)
        return empty_pb2.Empty()

    def _make(self, given: dict[str, Any], request: Any, context: Any) -> struct_pb2.Struct:
        """Build, unless in a preview, and return the outputs; in a preview the digest is unknown."""

        def log(line: str, *, warning: bool = False) -> None:
            severity = engine_pb2.WARNING if warning else engine_pb2.INFO
            entry = engine_pb2.LogRequest(severity=severity, message=line, urn=request.urn, ephemeral=not warning)
            self._engine.Log(entry)

        digest = rpc.UNKNOWN
        if not request.preview:
            try:
                digest = make(given, children=self._children, log=log)
            except DockerError as error:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return _packed(inputs.outputs(given) | {"repoDigest": digest})


def _refuse_others(request: Any, context: Any) -> None:
    """Abort a call for a resource of another type."""
    token = request.urn.split("::")[2].split("$")[-1]
    if token != _IMAGE:
        reason = f"{token}: this stand-in for docker implements only {_IMAGE}, use the official plugin"
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, reason)


def _plain(message: struct_pb2.Struct) -> dict[str, Any]:
    return dict(json_format.MessageToDict(message))


def _packed(properties: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(properties)
    return message
