"""The API server, asked in plain JSON.

The official client reads the kubeconfig and gives the credentials. Its dynamic layer is left out on purpose:
the five kinds' paths are known, and its discovery would cost every run a dozen requests.
"""

import json
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import urllib3
import yaml

from sandbox.plugins.kubernetes.credentials import ExecToken
from sandbox.plugins.kubernetes.kinds import Kind
from sandbox.plugins.resource import PluginError

Object = dict[str, Any]

TICK = 2
"""Seconds that one watch lasts: how long an interrupt, or news from another kind, may go unnoticed."""


class RefusedError(PluginError):
    """The API server answered with an error; `status` is the HTTP code, `causes` its details."""

    def __init__(self, message: str, *, status: int, causes: list[dict[str, str]] | None = None) -> None:
        """Keep what the server said."""
        super().__init__(message)
        self.status, self.causes = status, causes or []


class UnreachableError(PluginError):
    """No API server answered."""


class Ref(NamedTuple):
    """Where one object lives; `namespace` is empty for a kind that has none."""

    kind: Kind
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """The object's path on the API server."""
        return f"{collection(self.kind, self.namespace)}/{quote(self.name, safe='')}"

    def __str__(self) -> str:
        """Name it as a user would: `Deployment default/web`."""
        return f"{self.kind.name} {'/'.join(filter(None, (self.namespace, self.name)))}"


def collection(kind: Kind, namespace: str) -> str:
    """Give the path of all objects of a kind in a namespace."""
    return f"{kind.root}/namespaces/{namespace}/{kind.plural}" if kind.namespaced else f"{kind.root}/{kind.plural}"


def kubeconfig(given: str) -> dict[str, Any]:
    """Read a kubeconfig given as its contents or as a file's path. Raises PluginError if it is neither."""
    try:
        found = yaml.safe_load(given)
        if isinstance(found, str):
            found = yaml.safe_load(Path(found).expanduser().read_text())
    except (OSError, yaml.YAMLError) as error:
        # The text itself is a secret: only the error's kind may show.
        raise PluginError(
            f"provider input kubeconfig is neither YAML nor a readable file's path ({type(error).__name__})"
        ) from None
    if not isinstance(found, dict) or "clusters" not in found:
        raise PluginError("provider input kubeconfig has no clusters: it must be a whole kubeconfig, or a path to one")
    return found


def exec_of(config: dict[str, Any]) -> dict[str, Any] | None:
    """Give the program that the current context's user gets its credentials from, None if there is none."""
    contexts = {each["name"]: each["context"] for each in config.get("contexts") or ()}
    users = {each["name"]: each.get("user") or {} for each in config.get("users") or ()}
    user = users.get(contexts.get(config.get("current-context"), {}).get("user"), {})
    given: dict[str, Any] | None = user.get("exec")
    return given


def active_cluster(config: dict[str, Any]) -> Any:
    """Give the cluster that the current context names, None if there is none."""
    contexts = {each["name"]: each["context"] for each in config.get("contexts") or ()}
    clusters = {each["name"]: each["cluster"] for each in config.get("clusters") or ()}
    return clusters.get(contexts.get(config.get("current-context"), {}).get("cluster"))


class Cluster:
    """One API server. Every method raises RefusedError or UnreachableError."""

    def __init__(self, config: dict[str, Any]) -> None:
        """Connect as a kubeconfig says. Certificates stay in memory: no file of this process outlives it."""
        from kubernetes.config import ConfigException, kube_config

        program = exec_of(config)
        # The client would ask the program too, and go on as nobody when that fails.
        self._token = None if program is None else ExecToken(program)
        if program is not None:
            config = config | {"users": [{"name": each["name"], "user": {}} for each in config["users"]]}
        with tempfile.TemporaryDirectory() as directory:
            try:
                self._client: Any = kube_config.new_client_from_config_dict(
                    config, persist_config=False, temp_file_path=directory
                )
            except ConfigException as error:
                raise PluginError(f"provider input kubeconfig: {error}") from None
            settings = self._client.configuration
            context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
            if not settings.verify_ssl:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if settings.cert_file:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            kube_config._cleanup_temp_files()
        self._host: str = settings.host
        self._pool = urllib3.PoolManager(ssl_context=context, server_hostname=settings.tls_server_name, maxsize=32)

    def get(self, ref: Ref) -> Object | None:
        """Give an object, None if there is none."""
        try:
            return self._json("GET", ref.path)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> list[Object]:
        """List the objects at a collection's path."""
        found: list[Object] = self._json("GET", path, query)["items"]
        return found

    def apply(self, ref: Ref, obj: Object, *, manager: str, dry_run: bool = False) -> Object:
        """Make or change an object by server-side apply; give it as it is then.

        A field that someone else owns is a conflict, except one that was last set by hand: what `kubectl`
        owns is taken over, as the official provider does. Unknown fields are an error.
        """
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "false"}
        if dry_run:
            query["dryRun"] = "All"
        try:
            return self._json("PATCH", ref.path, query, body=obj, media="application/apply-patch+yaml")
        except RefusedError as error:
            owners = [cause.get("message", "") for cause in error.causes]
            by_hand = all(
                owner.startswith(('conflict with "kubectl', 'conflict with "before-first-apply')) for owner in owners
            )
            if error.status != 409 or not owners or not by_hand:
                raise
        return self._json("PATCH", ref.path, query | {"force": "true"}, body=obj, media="application/apply-patch+yaml")

    def delete(self, ref: Ref) -> None:
        """Ask for an object's deletion, dependents first; one that is gone already is no error."""
        try:
            self._json("DELETE", ref.path, body={"propagationPolicy": "Foreground"})
        except RefusedError as error:
            if error.status != 404:
                raise

    def log(self, namespace: str, pod: str, *, container: str, previous: bool, lines: int) -> str:
        """Give the last lines that a container wrote; `previous` means its last life but this one."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        query = {"container": container, "previous": str(previous).lower(), "tailLines": str(lines)}
        text: str = self._request("GET", path, query).data.decode(errors="replace")
        return text

    def follow(self, ref: Ref) -> Iterator[Object | None]:
        """Give an object as it is, again after every change, and again at least every TICK seconds.

        Ends after giving None, when it is gone.
        """
        while (current := self.get(ref)) is not None:
            yield current
            for event in self._watch(ref, current["metadata"]["resourceVersion"]):
                if event["type"] == "ERROR":
                    break  # the version is too old to start from: get it anew
                yield None if event["type"] == "DELETED" else event["object"]
                if event["type"] == "DELETED":
                    return
        yield None

    def _watch(self, ref: Ref, version: str) -> Iterator[dict[str, Any]]:
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={ref.name}",
            "resourceVersion": version,
            "timeoutSeconds": str(TICK),
        }
        try:
            response = self._request("GET", collection(ref.kind, ref.namespace), query, stream=True)
        except RefusedError as error:
            if error.status == 410:
                return  # the version is too old to start from
            raise
        try:
            for line in response:
                yield json.loads(line)
        except urllib3.exceptions.HTTPError:
            return  # a watch may end at any time; whoever follows asks again
        finally:
            response.close()

    def _json(self, method: str, path: str, query: dict[str, str] | None = None, **options: Any) -> Object:
        answer: Object = json.loads(self._request(method, path, query or {}, **options).data)
        return answer

    def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        *,
        body: Object | None = None,
        media: str = "application/json",
        stream: bool = False,
        refused: str | None = None,
    ) -> Any:
        headers = {"Content-Type": media, "Accept": "application/json, */*"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"])
        token = None if self._token is None else self._token.get(refused=refused)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            response = self._pool.request(
                method,
                f"{self._host}{path}?{urlencode(query)}",
                body=None if body is None else json.dumps(body),
                headers=headers,
                preload_content=not stream,
                timeout=urllib3.Timeout(connect=5, read=60),
            )
        except urllib3.exceptions.HTTPError as error:
            why = getattr(error, "reason", None) or error
            raise UnreachableError(
                f"the Kubernetes API server at {self._host} does not answer: {why}. Is the cluster running, "
                "and is this kubeconfig its own?"
            ) from None
        if response.status == 401 and token is not None and refused is None:
            response.release_conn()
            return self._request(method, path, query, body=body, media=media, stream=stream, refused=token)
        if response.status == 401:
            raise RefusedError(
                f"the Kubernetes API server at {self._host} does not let these credentials in (401). They may have "
                "expired, or been taken away; on EKS, the cluster may have no access entry for whoever "
                "`aws sts get-caller-identity` names",
                status=401,
            )
        if response.status >= 400:
            raise _refusal(response)
        return response


def _refusal(response: urllib3.BaseHTTPResponse) -> RefusedError:
    """Turn an error into the server's own words."""
    try:
        status = json.loads(response.data)
    except ValueError:
        return RefusedError(f"it answered {response.status} {response.reason}", status=response.status)
    causes = (status.get("details") or {}).get("causes") or []
    message = status.get("message", response.reason)
    if response.status == 409 and causes:
        fields = "; ".join(f"{cause.get('field')} ({cause.get('message')})" for cause in causes)
        message = (
            f"these fields belong to another field manager: {fields}. Take them out of the program, or let "
            "the other manager give them up"
        )
    return RefusedError(message, status=response.status, causes=causes)
