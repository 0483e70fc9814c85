"""ECR's registry, at `<account>.dkr.ecr.<region>.amazonaws.com`.

The sandbox's own registry stores the images. In front of it, this one behaves as ECR: it takes only passwords from the
API, until they expire, only repositories made with the API, and no second image for an immutable tag. It records each
pushed image in the API.
"""

import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from fnmatch import fnmatch
from http import HTTPStatus
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import boto3
import urllib3
from botocore.exceptions import ClientError
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.datastructures import Headers
from werkzeug.serving import run_simple
from werkzeug.wrappers import Request, Response

from sandbox import addresses, logins
from sandbox.layout import Layout, here

USER = "AWS"
"""The user of every password (https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html)."""

LIFE = 12 * 3600
"""A password's lifetime in seconds (the same page)."""

_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>manifests|blobs|tags|referrers)/(?P<reference>.*)")
_HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding")
_OWN_HEADERS = ("authorization", "content-length", *_HOP_BY_HOP)
"""Request headers of this connection and login, which are not forwarded to the registry behind."""


def new_password(layout: Layout) -> tuple[str, datetime]:
    """Return a new password, never the same twice, and when it expires."""
    file = layout.ecr_password_life
    ends = int(time.time()) + (int(file.read_text()) if file.exists() else LIFE)
    password = _signer(layout).dumps({"ends": ends, "nonce": secrets.token_hex(8)})
    return str(password), datetime.fromtimestamp(ends, UTC)


def is_valid(layout: Layout, password: str) -> bool:
    """Return whether `new_password` made this password and it has not expired."""
    try:
        return bool(_signer(layout).loads(password)["ends"] > time.time())
    except BadSignature:
        return False


def _signer(layout: Layout) -> URLSafeSerializer:
    return URLSafeSerializer(layout.ecr_key.read_text(), salt="ecr")


class _RefusedError(Exception):
    """A refusal, answered as an error of the distribution specification."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Registry:
    """A WSGI application; it is safe to share between threads."""

    def __init__(self, layout: Layout) -> None:
        """Take the layout: it has the passwords' key, and the authority of the registry behind."""
        self._layout, self._url = layout, f"https://{addresses.REGISTRY}"
        self._ecr = boto3.client("ecr", region_name=addresses.REGION)
        self._behind = urllib3.PoolManager(ca_certs=str(layout.ca), maxsize=16)
        self._pushing = threading.Lock()
        login = f"{logins.REGISTRY_USER}:{logins.registry_password(layout)}"
        self._login = urllib3.util.make_headers(basic_auth=login)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        try:
            response = self._answer(request)
        except _RefusedError as refused:
            errors = {"errors": [{"code": refused.code, "message": str(refused)}]}
            response = Response(json.dumps(errors), refused.status, content_type="application/json")
            if refused.status == 401:
                realm = f'Basic realm="https://{request.host}/",service="ecr.amazonaws.com"'
                response.headers["WWW-Authenticate"] = realm
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path == "/":
            return Response()  # the health check
        self._authenticate(request)
        path = _PATH.fullmatch(request.path)
        if path is None:
            return self._forward(request, request.stream if _has_body(request) else None)
        repository, reference = path["repository"], path["reference"]
        settings = self._know(repository)
        if path["kind"] != "manifests":
            return self._forward(request, request.stream if _has_body(request) else None)
        if request.method == "PUT":
            with self._pushing:  # only one of two concurrent pushes of a tag may find it free
                return self._push(request, settings, reference)
        if request.method == "DELETE":
            raise _RefusedError(405, "UNSUPPORTED", "images are deleted by the API of ECR")
        self._find(repository, reference)
        return self._forward(request, None)

    def _authenticate(self, request: Request) -> None:
        login = request.authorization
        if login is None or login.type != "basic" or login.username != USER:
            raise _RefusedError(401, "UNAUTHORIZED", "Not Authorized")
        if not is_valid(self._layout, login.password or ""):
            message = "Your authorization token has expired. Reauthenticate and try again."
            raise _RefusedError(403, "DENIED", message)

    def _know(self, repository: str) -> Any:
        """Return the API's description of a repository. Raises _RefusedError when there is none."""
        try:
            return self._ecr.describe_repositories(repositoryNames=[repository])["repositories"][0]
        except ClientError as error:
            raise _RefusedError(404, "NAME_UNKNOWN", error.response["Error"]["Message"]) from error

    def _find(self, repository: str, reference: str) -> None:
        try:
            self._ecr.describe_images(repositoryName=repository, imageIds=[_image_id(reference)])
        except ClientError as error:
            raise _RefusedError(404, "MANIFEST_UNKNOWN", error.response["Error"]["Message"]) from error

    def _push(self, request: Request, settings: Any, reference: str) -> Response:
        """Store a manifest, unless its tag exists and is immutable, and record the image in the API."""
        repository, manifest = settings["repositoryName"], request.get_data()
        if not _is_digest(reference) and _is_immutable(settings, reference) and self._has(repository, reference):
            raise _RefusedError(
                400,
                "TAG_INVALID",
                # ECR's own message, for another image and for the same image under this tag.
                f"tag invalid: The image tag '{reference}' already exists in the '{repository}' repository and cannot "
                "be overwritten because the repository is immutable.",
            )
        response = self._forward(request, manifest)
        if response.status_code == HTTPStatus.CREATED:
            self._record(repository, reference, manifest.decode(), request.content_type or "")
        return response

    def _has(self, repository: str, reference: str) -> bool:
        try:
            self._find(repository, reference)
        except _RefusedError:
            return False
        return True

    def _record(self, repository: str, reference: str, manifest: str, media_type: str) -> None:
        """Record the image in the API."""
        try:
            self._ecr.put_image(
                repositoryName=repository,
                imageManifest=manifest,
                imageManifestMediaType=media_type,
                imageDigest=f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}",
                **({} if _is_digest(reference) else {"imageTag": reference}),
            )
        except self._ecr.exceptions.ImageAlreadyExistsException:
            return  # the same image with the same tag
        except ClientError as error:
            raise _RefusedError(400, "MANIFEST_INVALID", error.response["Error"]["Message"]) from error

    def _forward(self, request: Request, body: Any) -> Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN_HEADERS}
        answer = self._behind.request(
            request.method,
            f"{self._url}{request.full_path.rstrip('?')}",
            body=body,
            headers=headers | self._login,
            preload_content=False,
            decode_content=False,
            redirect=False,
        )
        kept = Headers([(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP])
        response = Response(answer.stream(1 << 18, decode_content=False), answer.status, kept)
        response.call_on_close(answer.release_conn)
        return response


def _has_body(request: Request) -> bool:
    return bool(request.content_length) or "chunked" in request.headers.get("Transfer-Encoding", "")


def _image_id(reference: str) -> dict[str, str]:
    return {"imageDigest" if _is_digest(reference) else "imageTag": reference}


def _is_immutable(settings: Any, tag: str) -> bool:
    """Return whether the tag is immutable in a repository with these settings.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
    """
    excluded = any(fnmatch(tag, each["filter"]) for each in settings.get("imageTagMutabilityExclusionFilters", ()))
    return bool(settings["imageTagMutability"].startswith("IMMUTABLE")) != excluded


def _is_digest(reference: str) -> bool:
    return reference.startswith("sha256:")


def main() -> None:
    """Serve until ended."""
    layout = here()
    pem = str(layout.etc / "ecr.pem")
    run_simple(addresses.ECR_ADDRESS, 443, Registry(layout), threaded=True, ssl_context=(pem, pem))


if __name__ == "__main__":
    main()
