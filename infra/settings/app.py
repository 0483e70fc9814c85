"""How the app runs."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr, ValidationInfo, field_validator

from infra.settings.section import Section, expected, facts, refused
from infra.settings.values import ObjectName

SECRET_KEY_LENGTH = 50
"""Characters: what Django's check `security.W009` asks of SECRET_KEY, beside 5 different ones and no example."""


def _secret_key(secret: SecretStr) -> SecretStr:
    key = secret.get_secret_value()
    if len(key) < SECRET_KEY_LENGTH or len(set(key)) < 5:
        raise refused(f"at least {SECRET_KEY_LENGTH} characters, 5 of them different")
    if key.startswith("django-insecure-"):
        raise refused("a key of your own, not one of Django's examples")
    return secret


Count = Annotated[int, expected("a whole number of 1 or more", ge=1)]
# Beneath 1024 only root may listen, and the container does not run as root.
Port = Annotated[int, expected("a port from 1024 to 65535", ge=1024, le=65535)]


class App(Section):
    """How the app runs."""

    replicas: Count = 2
    """How many pods."""
    port: Port = 8000
    """Where the container listens for http."""
    debug: bool = False
    """Django's pages for developers, instead of plain errors."""
    secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] | None = None
    """What Django signs with, of 50 characters or more. Without it one is made, once, and kept in the stack's state."""
    tls_secret: ObjectName | None = None
    """With `cluster.balancer` none, and then required: the name of a Secret of type kubernetes.io/tls in the namespace,
    with a certificate for the host, such as cert-manager keeps. What renews it there needs no new `up`."""

    @field_validator("tls_secret")
    @classmethod
    def _where_the_pods_end_tls(cls, secret: str | None, info: ValidationInfo) -> str | None:
        balancer = facts(info).balancer
        if balancer == "none" and secret is None:
            what = "the name of a Secret with a certificate: behind cluster.balancer none the pods end TLS"
            raise refused(what, found="nothing")
        if balancer not in (None, "none") and secret is not None:
            raise refused(f"no such key: the balancer, which is {balancer}, ends TLS")
        return secret
