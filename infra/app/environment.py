"""Environment: the app's variables, the secret ones in one Secret."""

import re
from collections.abc import Mapping

import pulumi
import pulumi_kubernetes as kubernetes

from infra import stacks
from infra.app.aws_secret import AwsSecret
from infra.app.pod import literal
from infra.key import RandomKey
from infra.settings.app import App
from infra.settings.aws import Aws

_SECRET_NAME = re.compile(r"(?<!PUBLIC_)(SECRET|PASSWORD|PASSWD|TOKEN|CREDENTIALS?|(^|_)KEY)$")
_SECRET_VALUE = re.compile(r"://[^/\s:@]*:[^/\s@]+@")
"""A URL with a password in it."""


class Environment(pulumi.ComponentResource):
    """The variables of the app's pods, and an immutable Secret with the secret values.

    Pulumi names the Secret, so a changed value makes a new Secret with a new name. The pods that use it are then
    replaced one by one, and the old Secret is deleted when no pod needs it. To change a random value, run
    `pulumi up --replace` with its resource of type `pulumi-python:dynamic/ejemplo-django:RandomKey`.
    """

    variables: list[kubernetes.core.v1.EnvVarArgsDict]
    """The variables, as a container takes them."""

    def __init__(
        self,
        name: str,
        *,
        settings: App,
        aws: Aws,
        protect: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `aws` has the endpoint of AWS Secrets Manager.

        `protect` protects the random values, which cannot be generated again.
        """
        super().__init__("ejemplo-django:infra:Environment", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        values: dict[str, pulumi.Input[str]] = {
            variable: pulumi.Output.secret(text.get_secret_value()) for variable, text in settings.secrets.items()
        }
        for variable, length in settings.random_secrets.items():
            first = variable == next(iter(settings.random_secrets))
            moved = pulumi.ResourceOptions(protect=protect, aliases=[_former(settings.name)] if first else None)
            values[variable] = RandomKey(
                f"{name}-{variable}", length=length, opts=pulumi.ResourceOptions.merge(child, moved)
            ).value
        for variable, arn in settings.aws_secrets.items():
            values[variable] = AwsSecret(
                f"{name}-{variable}", key=f"app.awsSecrets.{variable}", arn=arn, endpoint=aws.endpoint, opts=child
            ).value
        for variable, output in settings.from_stacks.items():
            found = stacks.output(output, key=f"app.fromStacks.{variable}", opts=child)
            values[variable] = pulumi.Output.secret(found)
        self.variables = [{"name": variable, "value": literal(text)} for variable, text in settings.env.items()]
        if values:
            # Also the prefix of its name in the cluster.
            secret = kubernetes.core.v1.Secret(
                f"{settings.name}-secrets", immutable=True, string_data=values, opts=child
            )
            self.variables += [
                {
                    "name": variable,
                    "value_from": {"secret_key_ref": {"name": secret.metadata.name, "key": variable}},
                }
                for variable in values
            ]
        _warn_of_plain(settings.env)
        self.register_outputs({})


def _former(app: str) -> pulumi.Alias:
    """Return the alias of the only random key that an older stack has; the first random variable takes it over."""
    parent = pulumi.create_urn(f"{app}-key", "ejemplo-django:infra:SecretKey")
    return pulumi.Alias(name=f"{app}-key-random", parent=parent)


def _warn_of_plain(env: Mapping[str, str]) -> None:
    for variable, text in env.items():
        if looks_secret(variable, text):
            pulumi.log.warn(
                f"app.env.{variable} looks like a secret, but is in plain text in the stack's file and in the "
                f"cluster. To encrypt it: pulumi config set --secret --path app.secrets.{variable}"
            )


def looks_secret(variable: str, text: str) -> bool:
    """Return whether a variable's name looks like a secret's, or its value is a URL with a password."""
    return bool(_SECRET_NAME.search(variable.upper()) or _SECRET_VALUE.search(text))
