"""Run the stand-in as pulumi-resource-aws."""

from sandbox.plugins.aws.plugin import plugin
from sandbox.plugins.host import main

main(plugin())
