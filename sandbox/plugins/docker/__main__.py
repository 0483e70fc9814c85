"""Run the stand-in as pulumi-resource-docker."""

from importlib.metadata import version

from sandbox.plugins.docker.image import Image
from sandbox.plugins.host import main
from sandbox.plugins.resource import Plugin

main(
    Plugin(
        name="docker",
        version=version("pulumi-docker"),
        config={},
        build=lambda config: ([Image()], []),
    )
)
