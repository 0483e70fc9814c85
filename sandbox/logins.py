"""Users, passwords and keys of the embedded cloud, valid on one machine only."""

import secrets

from sandbox import addresses
from sandbox.layout import Layout

REGISTRY_USER = "sandbox"
"""The registry's only user."""

AWS_USER = "sandbox"
"""The IAM user whose credentials are the default on the sandbox."""

PASSPHRASE = "local-only"
"""The passphrase of the sandbox's stacks. It is public, since their secrets are valid on one machine only."""


def aws_environment(who: str = "sandbox") -> dict[str, str]:
    """Return the variables with which an AWS SDK reaches moto as `who`: moto reads only the access key's id."""
    return {
        "AWS_ENDPOINT_URL": addresses.AWS_ENDPOINT,
        "AWS_ACCESS_KEY_ID": who,
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": addresses.REGION,
        "AWS_DEFAULT_REGION": addresses.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def registry_password(layout: Layout) -> str:
    """Return the password of the registry's user; make a random one on the first call."""
    path = layout.secrets / "registry-password"
    if not path.exists():
        path.write_text(secrets.token_urlsafe(24))
        path.chmod(0o600)
    return path.read_text()
