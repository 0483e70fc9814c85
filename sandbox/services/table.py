"""The list of all services, and what they share on disk."""

from sandbox import pki
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.services import aws, cloud_controller, containers, kubernetes, node, registry
from sandbox.services.service import Service


def table(layout: Layout) -> list[Service]:
    """Every service, in no order: `needs` orders them."""
    return [
        service
        for module in (aws, registry, containers, kubernetes, node, cloud_controller)
        for service in module.services(layout)
    ]


def prepare(layout: Layout) -> None:
    """Make the folders and the authority that every service's own configuration rests on. What is there is kept.

    Raises SandboxError when there cannot be a folder for the sockets.
    """
    try:
        layout.run.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SandboxError(
            "The sandbox has no place for its sockets.",
            why=f"{layout.run} cannot be made: {error.strerror}.",
            do="/run must be a folder that root may write to.",
        ) from error
    for folder in (layout.bin, layout.etc, layout.logs, layout.tools, layout.var):
        folder.mkdir(parents=True, exist_ok=True)
    layout.root.chmod(0o700)
    layout.secrets.mkdir(mode=0o700, exist_ok=True)
    pki.authority(layout)
