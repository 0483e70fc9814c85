"""The Kubernetes API behind a kubeconfig, asked by path; why it does not answer is told apart, and what to do."""

import json
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
import yaml
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError, TimeoutError

SECONDS = 5
"""How long one request may take: the API server answers at once, or something is in between."""

# OpenSSL's X509_V_ERR_... in x509_vfy.h, by the side of what they mean here.
_NO_AUTHORITY = {2, 18, 19, 20, 21}
_EXPIRED = 10
_OTHER_NAME = {62, 64}


class ClientError(Exception):
    """The API server did not do what it was asked."""

    def __init__(self, message: str, *, code: int | None = None) -> None:
        """Fail with a message for the user and the HTTP status, None when there was no answer."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object as the API serves it."""

    version: str
    """Group and version, such as apps/v1; v1 alone for the core group."""
    kind: str
    plural: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One API server, and a login to it. Every method raises ClientError."""

    server: str
    """Its URL."""
    pool: urllib3.PoolManager = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    until: str
    """When the login's certificate ends or ended, in ISO 8601; empty for a login without one."""

    def get(self, path: str) -> dict[str, Any]:
        """Read what is at the path."""
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Send an object to the path and read the answer."""
        return self._ask("POST", path, body)

    def kind(self, token: str) -> Kind:
        """Find the kind behind a type of Pulumi's, such as kubernetes:apps/v1:Deployment."""
        _, version, kind = token.split(":")
        version = version.removeprefix("core/")
        for each in self.get(root(version))["resources"]:
            if each["kind"] == kind and "/" not in each["name"]:
                return Kind(version=version, kind=kind, plural=each["name"])
        raise ClientError(f"The cluster at {self.server} serves no {kind} of {version}.", code=404)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        try:
            answer = self.pool.request(
                method,
                f"{self.server}{path}",
                body=None if body is None else json.dumps(body),
                headers=dict(self.headers),
                timeout=SECONDS,
                retries=False,
            )
        except HTTPError as error:
            raise ClientError(_why(self.server, error)) from error
        if answer.status == 401:
            ended = f", which has a certificate until {self.until}" if self.until else ""
            raise ClientError(
                f"{self.server} does not know the kubeconfig's user{ended}: the login expired, was withdrawn, or is "
                "another cluster's. Get a new kubeconfig from whoever looks after the cluster.",
                code=401,
            )
        if answer.status >= 400:
            raise ClientError(
                f"{self.server} answered {method} {path} with {answer.status}: {_message(answer)}", code=answer.status
            )
        try:
            read: dict[str, Any] = answer.json()
        except ValueError as error:
            raise ClientError(f"{self.server} is no Kubernetes API: {method} {path} is no JSON there.") from error
        return read


def root(version: str) -> str:
    """Give the path under which a group's version is served."""
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def connect(kubeconfig: str) -> Client:
    """Log in as the current context of a kubeconfig's contents says, by its exec plugin if it has one.

    Raises ClientError for a login that cannot be made. No file of this process outlives the call.
    """
    # Only now: the client takes half a second to import, and most who import this module have no cluster to ask.
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException, kube_config

    document = yaml.safe_load(kubeconfig)
    settings = Configuration()
    with tempfile.TemporaryDirectory() as folder:
        try:
            _log_in(document)
            kube_config.load_kube_config_from_dict(
                document, client_configuration=settings, persist_config=False, temp_file_path=folder
            )
            context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
            if not settings.verify_ssl:
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            if settings.cert_file:
                context.load_cert_chain(settings.cert_file, settings.key_file)
            until = _end(settings.cert_file) if settings.cert_file else ""
        except (ConfigException, OSError, ValueError) as error:  # OSError: of ssl as well
            raise ClientError(f"The kubeconfig gives no login: {error}.") from error
        finally:
            kube_config._cleanup_temp_files()
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    for each in settings.auth_settings().values():
        headers[each["key"]] = each["value"]
    options: dict[str, Any] = {"ssl_context": context, "server_hostname": settings.tls_server_name, "maxsize": 16}
    pool = urllib3.ProxyManager(settings.proxy, **options) if settings.proxy else urllib3.PoolManager(**options)
    return Client(server=settings.host.rstrip("/"), pool=pool, headers=headers, until=until)


def _log_in(document: dict[str, Any]) -> None:
    """Run the exec plugin of the current user, and put what it gives in its place.

    The client would run it too, but logs a failure and goes on as nobody. Raises ClientError.
    """
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import ConfigNode, ExecProvider

    context = next(each["context"] for each in document["contexts"] if each["name"] == document["current-context"])
    user: dict[str, Any] = next(
        (each["user"] or {} for each in document.get("users") or () if each["name"] == context.get("user")), {}
    )
    cluster: dict[str, Any] = next(
        (each["cluster"] for each in document.get("clusters") or () if each["name"] == context.get("cluster")), {}
    )
    plugin = user.pop("exec", None)
    if not plugin:
        return
    command = plugin.get("command", "")
    try:
        given = ExecProvider(ConfigNode("exec", plugin), None, ConfigNode("cluster", cluster)).run()
    except FileNotFoundError as error:
        hint = plugin.get("installHint") or "install it, or put its folder on PATH"
        raise ClientError(
            f"The kubeconfig logs in by the command {command}, which is not on PATH: {hint.strip()}."
        ) from error
    except (ConfigException, OSError) as error:
        said = str(error).removeprefix("exec: ").rstrip(".")
        raise ClientError(f"The kubeconfig logs in by the command {command}, which failed: {said}.") from error
    names = {"token": "token", "clientCertificateData": "client-certificate-data", "clientKeyData": "client-key-data"}
    if not names.keys() & given.keys():
        raise ClientError(f"The kubeconfig logs in by the command {command}, which gave no token and no certificate.")
    for name, key in names.items():
        if name in given:
            user[key] = given[name] if name == "token" else _base64(given[name])


def _base64(text: str) -> str:
    import base64

    return base64.b64encode(text.encode()).decode()


def _end(certificate: str) -> str:
    from cryptography import x509  # half a second as well

    with open(certificate, "rb") as file:
        return x509.load_pem_x509_certificate(file.read()).not_valid_after_utc.isoformat()


def _why(server: str, error: Exception) -> str:
    """Tell the ways apart in which an API server is not reached."""
    cause = error.__cause__ or error
    match error:
        case NameResolutionError():
            return f"{server} cannot be reached: its name is in no DNS that this machine asks. Is a VPN off?"
        case NewConnectionError() if isinstance(error.__cause__, ConnectionRefusedError):
            return f"{server} refuses connections: nothing listens there. Is it the right port, and is the cluster up?"
        case TimeoutError() if not isinstance(error, NewConnectionError):
            return (
                f"{server} did not answer within {SECONDS} seconds. It may be a private endpoint, or a firewall or the "
                "list of networks that may reach it keeps this machine out."
            )
        case SSLError():
            return _why_no_tls(server, error)
    return f"{server} does not answer: {str(cause).rpartition(': ')[2] or type(cause).__name__}."


def _why_no_tls(server: str, error: SSLError) -> str:
    found = next((each for each in (error.__cause__, *error.args) if isinstance(each, ssl.SSLError)), None)
    code = getattr(found, "verify_code", None)
    if code in _NO_AUTHORITY:
        return (
            f"{server} has a certificate of an authority that the kubeconfig does not name: it is another cluster, the "
            "cluster was made anew, or something in between reads the traffic. Get a new kubeconfig."
        )
    if code == _EXPIRED:
        return f"{server} has a certificate that has expired. Whoever looks after the cluster must renew it."
    if code in _OTHER_NAME:
        return f"{server} has a certificate for other names: {getattr(found, 'verify_message', '')}."
    return f"{server} and this machine agree on no TLS: {found or error}."


def _message(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        status = answer.json()
    except ValueError:
        return f"{answer.reason}."
    return str(status.get("message") or answer.reason) if isinstance(status, dict) else str(answer.reason)
