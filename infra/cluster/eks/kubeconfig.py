"""The kubeconfig: where the API is, and how to get a token for it; no credential."""

from typing import Any

import yaml


def render(*, cluster: str, endpoint: str, authority: str, region: str, aws_endpoint: str | None) -> str:
    """Give the contents of a kubeconfig with which the AWS CLI makes a token of the caller's own credentials.

    The token is good for 15 minutes. `authority` is in base64; `aws_endpoint` is the URL of a service that speaks
    AWS's API, None for AWS itself.
    """
    command: dict[str, Any] = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", cluster, "--region", region, "--output", "json"],
        "env": [{"name": "AWS_ENDPOINT_URL", "value": aws_endpoint}] if aws_endpoint else [],
        "interactiveMode": "IfAvailable",
        "installHint": "The AWS CLI makes the login to EKS: https://docs.aws.amazon.com/cli/latest/userguide/",
    }
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": cluster, "cluster": {"server": endpoint, "certificate-authority-data": authority}}],
            "users": [{"name": cluster, "user": {"exec": command}}],
            "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
            "current-context": cluster,
        },
        sort_keys=False,
    )
