"""The kubeconfig: where the API is, and how to get a token for it. It contains no credential."""

from typing import Any

import yaml


def render(*, cluster: str, endpoint: str, authority: str, region: str) -> str:
    """Return a kubeconfig that gets tokens from the AWS CLI, with the caller's own credentials.

    A token is valid for 15 minutes. `authority` is in base64.
    """
    command: dict[str, Any] = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["eks", "get-token", "--cluster-name", cluster, "--region", region, "--output", "json"],
        # A token is a signed request to STS, and EKS accepts it only for STS' own host name, not for a VPC endpoint
        # that may be configured where the command runs.
        "env": [{"name": "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "value": "true"}],
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
