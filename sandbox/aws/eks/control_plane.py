"""The control plane behind EKS: requests to the sandbox's API server as its administrator."""

import json
from typing import Any

import requests

from sandbox import addresses
from sandbox.layout import Layout


def kubernetes(layout: Layout, method: str, path: str, content: dict[str, Any] | None = None) -> None:
    """Apply, patch or delete an object; one to delete may be missing. Raises requests.HTTPError when refused."""
    answer = requests.request(
        method,
        f"{addresses.API_SERVER}{path}",
        params={"fieldManager": "eks", "force": "true"} if method == "PATCH" else None,
        headers={"Content-Type": "application/apply-patch+yaml"},
        data=None if content is None else json.dumps(content),  # JSON is YAML
        cert=str(layout.etc / "admin.client.pem"),
        verify=str(layout.ca),
        timeout=10,
    )
    if method != "DELETE" or answer.status_code != 404:
        answer.raise_for_status()
