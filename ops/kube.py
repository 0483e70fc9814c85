"""The Kubernetes API behind a kubeconfig, asked by path: the kinds are the program's, not a list of their own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
import yaml
from kubernetes import config
from kubernetes.config import ConfigException

from ops.errors import OpsError

SECONDS = 5
"""How long one request may take: the API server answers at once, or something is in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object as the API serves it."""

    version: str
    """Group and version, such as apps/v1; v1 alone for the core group."""
    kind: str
    plural: str

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.version.rpartition("/")[0]


class RefusedError(OpsError):
    """The API server answered with an error; `code` is its HTTP status."""

    def __init__(self, message: str, *, code: int) -> None:
        """Fail with the HTTP status and a message for the user."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One API server."""

    server: str
    """Its URL."""
    api: Any

    def get(self, path: str) -> dict[str, Any]:
        """Read what is at the path. Raises RefusedError for an HTTP error, OpsError when there is no answer."""
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an object to the path and read the answer. Raises as `get` does."""
        return self._ask("POST", path, body)

    def kind(self, token: str) -> Kind:
        """The kind behind a type of Pulumi's, such as kubernetes:apps/v1:Deployment. Raises as `get` does."""
        _, version, kind = token.split(":")
        version = version.removeprefix("core/")
        for each in self.get(root(version))["resources"]:
            if each["kind"] == kind and "/" not in each["name"]:
                return Kind(version=version, kind=kind, plural=each["name"])
        raise RefusedError(f"The cluster at {self.server} serves no {kind} of {version}.", code=404)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        self.api.update_params_for_auth(headers, [], ["BearerToken"])
        # Not by the client's own `call_api`, whose errors do not fit the urllib3 of today.
        pool, data = self.api.rest_client.pool_manager, json.dumps(body) if body else None
        try:
            answer = pool.request(
                method, f"{self.server}{path}", body=data, headers=headers, timeout=SECONDS, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise OpsError(f"{self.server} does not answer: {_reason(error)}.") from error
        if answer.status == 401:
            raise RefusedError(f"{self.server} does not know the kubeconfig's user.", code=401)
        if answer.status >= 400:
            raise RefusedError(
                f"{self.server} answered {method} {path} with {answer.status} {answer.reason}.", code=answer.status
            )
        read: dict[str, Any] = answer.json()
        return read


def root(version: str) -> str:
    """The path under which a group's version is served."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def connect(kubeconfig: str) -> Cluster:
    """Use the current context of a kubeconfig's contents. Raises OpsError for a login that cannot be made."""
    try:
        api = config.new_client_from_config_dict(yaml.safe_load(kubeconfig))
    except ConfigException as error:
        raise OpsError(f"The kubeconfig gives no login: {error}") from error
    return Cluster(server=api.configuration.host, api=api)


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error.__cause__ or error
    return str(cause).rpartition(": ")[2] if isinstance(cause, Exception) else str(cause)
