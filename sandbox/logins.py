"""Who one is on the embedded cloud: users, passwords and keys, all of them made for one machine."""

import secrets

from sandbox import addresses
from sandbox.layout import Layout

REGISTRY_USER = "sandbox"
"""The registry's only user."""

AWS_USER = "sandbox"
"""The IAM user whose credentials everything on the sandbox has unless it is given others."""

PASSPHRASE = "local-only"
"""What the secrets of the sandbox's stacks are encrypted with: public, as they are made for one machine."""


def aws_environment(who: str = "sandbox") -> dict[str, str]:
    """What an AWS SDK needs to reach moto: its address, and credentials, of which it only looks at whose they are."""
    return {
        "AWS_ENDPOINT_URL": addresses.AWS_ENDPOINT,
        "AWS_ACCESS_KEY_ID": who,
        "AWS_SECRET_ACCESS_KEY": "sandbox",
        "AWS_REGION": addresses.REGION,
        "AWS_DEFAULT_REGION": addresses.REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def registry_password(layout: Layout) -> str:
    """The password of the registry's user, made at random once."""
    path = layout.secrets / "registry-password"
    if not path.exists():
        path.write_text(secrets.token_urlsafe(24))
        path.chmod(0o600)
    return path.read_text()
