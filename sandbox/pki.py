"""Keys and certificates: each sandbox has one authority for the cluster, the registry and ACM."""

import base64
from pathlib import Path

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.addresses import API_SERVER, CLUSTER
from sandbox.layout import Layout


def authority(layout: Layout) -> trustme.CA:
    """Return the sandbox's certificate authority; make it on the first call."""
    key = layout.secrets / "ca.key"
    if key.exists():
        return trustme.CA.from_pem(layout.ca.read_bytes(), key.read_bytes())
    ca = trustme.CA(organization_name="ejemplo-django sandbox")
    ca.private_key_pem.write_to_path(key)
    ca.cert_pem.write_to_path(layout.ca)
    return ca


def server(layout: Layout, name: str, *identities: str) -> Path:
    """Return `etc/<name>.pem`, a certificate for these host names and addresses with its key; make it if missing."""
    return _issue(layout, name, identities, common_name=name, organization=None)


def client(layout: Layout, name: str, *, user: str, group: str | None = None) -> Path:
    """Write a kubeconfig and a client certificate for a Kubernetes user (the CN) in a group (the O).

    They are `etc/<name>.kubeconfig`, which is returned, and `etc/<name>.client.pem`.
    https://kubernetes.io/docs/setup/best-practices/certificates/ lists the users and groups of the components.
    """
    names = (f"{name}.client.sandbox",)
    pem = _issue(layout, f"{name}.client", names, common_name=user, organization=group).read_bytes()
    path = layout.etc / f"{name}.kubeconfig"
    encoded = base64.b64encode(pem).decode()
    cluster = {
        "server": API_SERVER,
        "certificate-authority-data": base64.b64encode(layout.ca.read_bytes()).decode(),
    }
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": CLUSTER,
                "clusters": [{"name": CLUSTER, "cluster": cluster}],
                "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": user}}],
                "users": [
                    {
                        "name": user,
                        "user": {"client-certificate-data": encoded, "client-key-data": encoded},
                    }
                ],
            }
        )
    )
    path.chmod(0o600)
    return path


def service_account_key(layout: Layout) -> Path:
    """Return the key that signs and verifies service account tokens; make it if missing."""
    path = layout.secrets / "service-account.key"
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        path.chmod(0o600)
    return path


def _issue(
    layout: Layout, name: str, identities: tuple[str, ...], *, common_name: str, organization: str | None
) -> Path:
    path = layout.etc / f"{name}.pem"
    if not path.exists():
        leaf = authority(layout).issue_cert(
            *identities, common_name=common_name, organization_name=organization, key_type=trustme.KeyType.RSA
        )
        path.write_bytes(leaf.cert_chain_pems[0].bytes() + leaf.private_key_pem.bytes())
        path.chmod(0o600)
    return path
