"""Errors as gRPC statuses, the way the engine reads them."""

from typing import Any

import grpc
from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from sandbox.plugins.resource import PartialFailureError, PluginError
from sandbox.plugins.values import Path, Properties, dump


class ErrorsAsStatus(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Turns exceptions into statuses for the engine; errors that explain themselves lose the traceback."""

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        """Wrap the handler of one request."""
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def answer(request: Any, context: Any) -> Any:
            try:
                return handler.unary_unary(request, context)
            except NotImplementedError as missing:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, str(missing))
            except PluginError as error:
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))

        return grpc.unary_unary_rpc_method_handler(answer, handler.request_deserializer, handler.response_serializer)


def abort_initialization(context: Any, failure: PartialFailureError, inputs: Properties, secrets: set[Path]) -> None:
    """End the call by the one error that leaves the resource in the state."""
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=failure.id,
            properties=dump(failure.outputs, secrets),
            inputs=dump(inputs, secrets),
            reasons=[str(failure)],
        )
    )
    code = grpc.StatusCode.FAILED_PRECONDITION
    status = status_pb2.Status(code=code.value[0], message=str(failure), details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, str(failure))
