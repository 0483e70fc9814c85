"""Run the stand-in as pulumi-resource-docker."""

from functools import partial

from pulumi.runtime.proto import provider_pb2_grpc

from sandbox.plugins.docker.provider import Provider
from sandbox.plugins.process import Children, engine_address, serve

if __name__ == "__main__":
    children = Children()
    provider = Provider(engine_address(), children)
    serve(partial(provider_pb2_grpc.add_ResourceProviderServicer_to_server, provider), children)
