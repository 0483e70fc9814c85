"""AwsSecret: a string from AWS Secrets Manager, read at each `up` and never in a preview."""

import json
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra import aws_client
from infra.settings.aws import Aws

Inputs = dict[str, Any]


class AwsSecretProvider(ResourceProvider):
    """The state refers to this module and class by name: do not rename them."""

    def create(self, props: Inputs) -> CreateResult:
        """Read the secret. Raise RunError if that fails."""
        return CreateResult(props["arn"], props | _read(props))

    def update(self, _id: str, _olds: Inputs, news: Inputs) -> UpdateResult:
        """Read the secret again. Raise RunError if that fails."""
        return UpdateResult(news | _read(news))

    def diff(self, _id: str, olds: Inputs, news: Inputs) -> DiffResult:
        """Return whether the ARN has changed or, during an `up`, the secret has a new version."""
        changes = olds["arn"] != news["arn"] or (news["look"] and _read(news)["version"] != olds["version"])
        return DiffResult(changes=changes)


def _read(props: Inputs) -> Inputs:
    """Return the secret's `value` and `version`. Raise RunError if it cannot be read or has another form."""
    arn, _, part = props["arn"].partition("#")
    where = Aws(region=arn.split(":")[3], endpoint=props.get("endpoint"))
    with aws_client.client("secretsmanager", where, asks=f"{props['key']}: the value of {arn}") as secrets:
        found = secrets.get_secret_value(SecretId=arn)
    try:
        value = found["SecretString"]
        text = json.loads(value)[part] if part else value
    except (KeyError, TypeError, ValueError):
        form = f"a JSON object with a string under {part}" if part else "a string"
        raise pulumi.RunError(f"{props['key']}: found a secret of another form, expected {form}.") from None
    if not isinstance(text, str):
        raise pulumi.RunError(f"{props['key']}: found another type under {part}, expected a string.")
    return {"value": text, "version": found["VersionId"]}


class AwsSecret(Resource, module="ejemplo-django", name="AwsSecret"):
    """The secret's value, kept encrypted in the state until an `up` finds a new version."""

    value: pulumi.Output[str]
    """Secret."""

    def __init__(self, name: str, *, key: str, arn: str, endpoint: str | None, opts: pulumi.ResourceOptions) -> None:
        """Declare it for an ARN, followed by `#` and a key if the secret is a JSON object.

        `key` is the setting that names the secret, for messages. Credentials come from the environment, as for every
        AWS tool.
        """
        props = {
            "arn": arn,
            "key": key,
            "endpoint": endpoint,
            "look": not pulumi.runtime.is_dry_run(),
            "value": None,
            "version": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(AwsSecretProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
