"""SecretKey: what Django signs with, made once, kept in the state, given to the pods as a Secret."""

import secrets
from typing import Any

import pulumi
import pulumi.dynamic
import pulumi_kubernetes as kubernetes
from pydantic import SecretStr


class SecretKey(pulumi.ComponentResource):
    """A Secret that holds the key under SECRET_KEY.

    It is immutable and named by Pulumi, so another key is another Secret under another name: the Deployment's
    pods are replaced one by one, and the old Secret goes when none of them needs it. To change a key that was
    made here, `pulumi up --replace` the resource of type `pulumi-python:dynamic/ejemplo-django:RandomKey`.
    """

    name: pulumi.Output[str]
    """The Secret's."""

    def __init__(self, name: str, *, given: SecretStr | None, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it with the key that is given, or with one made for it when that is None."""
        super().__init__("ejemplo-django:infra:SecretKey", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        value = (
            pulumi.Output.secret(given.get_secret_value())
            if given is not None
            else RandomKey(f"{name}-random", opts=child).value
        )
        secret = kubernetes.core.v1.Secret(
            # Also the first part of its name in the cluster.
            name,
            immutable=True,
            string_data={"SECRET_KEY": value},
            opts=child,
        )

        self.name = secret.metadata.name
        self.register_outputs({"name": self.name})


class _RandomKeyProvider(pulumi.dynamic.ResourceProvider):
    """Makes the key when the resource is created, and leaves it alone from then on.

    It is stored in the state by reference: this module and class must keep their names.
    """

    def create(self, props: dict[str, Any]) -> pulumi.dynamic.CreateResult:
        """Make a key of 64 random bytes: 86 characters, where Django asks for 50."""
        return pulumi.dynamic.CreateResult(secrets.token_hex(8), {"value": secrets.token_urlsafe(64)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> pulumi.dynamic.DiffResult:
        """Never differ: by default a provider that serialises otherwise is an update, and drops the key."""
        return pulumi.dynamic.DiffResult(changes=False)


class RandomKey(pulumi.dynamic.Resource, module="ejemplo-django", name="RandomKey"):
    """A random key, known to the state alone."""

    value: pulumi.Output[str]
    """Secret."""

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions) -> None:
        """Declare it."""
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(_RandomKeyProvider(), name, {"value": None}, pulumi.ResourceOptions.merge(opts, secret))
