"""What the worlds of the conformance suite have in common on the sandbox: its API server, and a project on its AWS."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from sandbox import addresses, environment
from sandbox.layout import Layout
from tests.conformance import stack as stacks
from tests.conformance.stack import CLUSTER_WITH_WORK, WORK, Stack

OBJECT = f"/api/v1/namespaces/default/secrets/{WORK}"
"""What the program keeps in the cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Administrator:
    """The API server as the sandbox's own administrator asks it, whatever becomes of everybody else's login."""

    layout: Layout

    def get(self, path: str) -> dict[str, Any] | None:
        """What is at a path; None where there is nothing."""
        answer = self._ask("GET", path)
        if answer.status_code == requests.codes.not_found:
            return None
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object; gives what it became."""
        answer = self._ask("POST", path, json=body)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def delete(self, path: str) -> None:
        """Delete an object, which may be gone."""
        answer = self._ask("DELETE", path)
        if answer.status_code != requests.codes.not_found:
            answer.raise_for_status()

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        certificate, ca = str(self.layout.etc / "admin.client.pem"), str(self.layout.ca)
        return requests.request(
            method, f"{addresses.API_SERVER}{path}", cert=certificate, verify=ca, timeout=10, **options
        )


def project(home: Path, *, layout: Layout, credentials: Mapping[str, str] | None = None) -> Stack:
    """Make the suite's project, for the engine and the providers that the sandbox has.

    Its calls to AWS are the sandbox user's, unless other credentials are given as variables of the environment.
    """
    own = environment.variables(layout)
    own |= {"PULUMI_BACKEND_URL": f"file://{home / 'stacks'}", **(credentials or {})}
    return stacks.project(home, endpoint=addresses.AWS_ENDPOINT, program=CLUSTER_WITH_WORK, variables=own)
