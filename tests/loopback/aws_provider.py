"""The stand-in for pulumi-resource-aws, as the SDK configures it."""

import json
from typing import Any

from sandbox.plugins.aws.client import SERVICES


def settled(endpoint: str, *, region: str = "us-east-1", **tags: str) -> dict[str, Any]:
    """Provider inputs as the SDK sends them: what is no string is JSON text."""
    return {
        "region": region,
        "endpoints": json.dumps([dict.fromkeys(SERVICES, endpoint)]),
        "s3UsePathStyle": "true",
        "skipCredentialsValidation": "true",
        "defaultTags": json.dumps({"tags": tags}),
    }
