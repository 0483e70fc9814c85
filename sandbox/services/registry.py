"""The private registry, with one user and a certificate of the sandbox's authority."""

import bcrypt
import yaml

from sandbox import addresses, logins, pki
from sandbox.layout import Layout
from sandbox.services.service import Service, https

_HOST, _PORT = addresses.REGISTRY.split(":")


def services(layout: Layout) -> list[Service]:
    """Return the registry."""
    return [
        Service(
            name="registry",
            what="private registry",
            command=["docker-registry", "serve", str(layout.etc / "registry.yaml")],
            configure=lambda: _configure(layout),
            where=f"https://{addresses.REGISTRY}",
            healthy=https(f"https://{addresses.NODE_ADDRESS}:{_PORT}/", layout.ca),
        )
    ]


def _configure(layout: Layout) -> None:
    users = layout.etc / "registry.htpasswd"
    if not users.exists():
        hashed = bcrypt.hashpw(logins.registry_password(layout).encode(), bcrypt.gensalt()).decode()
        users.write_text(f"{logins.REGISTRY_USER}:{hashed}\n")
    pem = str(pki.server(layout, "registry", _HOST, addresses.NODE_ADDRESS))
    content = {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}},
        "storage": {"filesystem": {"rootdirectory": "/var/lib/registry"}, "delete": {"enabled": True}},
        "http": {"addr": f"{addresses.NODE_ADDRESS}:{_PORT}", "tls": {"certificate": pem, "key": pem}},
        "auth": {"htpasswd": {"realm": "sandbox", "path": str(users)}},
    }
    (layout.etc / "registry.yaml").write_text(yaml.safe_dump(content))
