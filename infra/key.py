"""RandomKey: a random secret, generated once and kept in the state."""

import secrets
from typing import Any

import pulumi
import pulumi.dynamic


class _RandomKeyProvider(pulumi.dynamic.ResourceProvider):
    """Generates the key when the resource is created, and never changes it.

    The state refers to this module and class by name: do not rename them.
    """

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Generate a key of `length` characters that need no escaping in a URL."""
        length = int(props["length"])
        return pulumi.dynamic.CreateResult(
            secrets.token_hex(8), {**props, "value": secrets.token_urlsafe(length)[:length]}
        )

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """Report no change: neither another length nor another serialization of the provider replaces the key."""
        return pulumi.dynamic.DiffResult(changes=False)


class RandomKey(pulumi.dynamic.Resource, module="ejemplo-django", name="RandomKey"):
    """A random key that only the state has."""

    value: pulumi.Output[str]
    """Secret."""

    def __init__(self, name: str, *, length: int, opts: pulumi.ResourceOptions) -> None:
        """Declare it, with `length` characters."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        props = {"length": length, "value": None}
        super().__init__(_RandomKeyProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
