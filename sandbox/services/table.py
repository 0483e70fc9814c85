"""The list of all services, and their shared folders."""

from sandbox import pki
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.services import aws, cloud_controller, containers, kubernetes, node, registry
from sandbox.services.service import Service


def table(layout: Layout) -> list[Service]:
    """Return every service, in any order: `needs` orders them."""
    return [
        service
        for module in (aws, registry, containers, kubernetes, node, cloud_controller)
        for service in module.services(layout)
    ]


def prepare(layout: Layout) -> None:
    """Make the services' folders and the certificate authority, unless they exist.

    Raises SandboxError when the folder of the sockets cannot be made.
    """
    try:
        layout.run.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SandboxError(
            "The folder of the sandbox's sockets could not be made.",
            why=f"{layout.run}: {error.strerror}.",
            do="/run must be a folder that root can write to.",
        ) from error
    for folder in (layout.bin, layout.etc, layout.logs, layout.tools, layout.var):
        folder.mkdir(parents=True, exist_ok=True)
    layout.root.chmod(0o700)
    layout.secrets.mkdir(mode=0o700, exist_ok=True)
    pki.authority(layout)
