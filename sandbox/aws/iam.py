"""Who signed a request to AWS: STS tells callers apart, as on AWS.

moto accepts any access key as the account's own and verifies no signature. AWS refuses an unknown key, and a request
that was not signed with that key's secret. EKS tokens rely on that: each is a signed request for GetCallerIdentity.
Each function below changes one behaviour of moto 5.2.5 to that of AWS.
"""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core.exceptions import InvalidClientTokenIdError, JsonRESTError, SignatureDoesNotMatchError
from moto.core.responses import ActionResult
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse
from werkzeug.serving import make_server

from sandbox import addresses, pki
from sandbox.aws.patch import patch
from sandbox.layout import Layout

_PARTITION = "aws"
_LIFE = timedelta(minutes=15)
"""How long STS accepts a presigned request, whatever its X-Amz-Expires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The owner of an access key, as in GetCallerIdentity."""

    user_id: str
    arn: str
    principal: str
    """The ARN of its IAM user or role."""
    secret: str
    token: str | None
    """The session token that temporary credentials require; None for others."""


def caller(account: str, key_id: str) -> Caller:
    """Return an access key's owner. Raises InvalidClientTokenIdError when it is unknown, inactive or expired."""
    iam = iam_backends[account][_PARTITION]
    for user in iam.users.values():
        for key in user.access_keys:
            if key.access_key_id == key_id and key.status == "Active":
                secret = key.secret_access_key
                return Caller(user_id=user.id, arn=user.arn, principal=user.arn, secret=secret, token=None)
    role = sts_backends[account][_PARTITION].get_assumed_role_from_access_key(key_id)
    if role is None or role.expiration.replace(tzinfo=UTC) < datetime.now(UTC):
        raise InvalidClientTokenIdError
    return Caller(
        user_id=role.user_id,
        arn=role.arn,
        principal=role.role_arn,
        secret=role.secret_access_key,
        token=role.session_token,
    )


def signer(account: str, *, url: str, headers: Mapping[str, str]) -> Caller:
    """Return who signed a request, in its Authorization header or, presigned, in its query (Signature Version 4).

    The signature of a presigned one is verified: EKS tokens rely on it. Raises AWS's errors for an unknown key, a wrong
    signature, and an expired one.
    """
    parts = urlsplit(url)
    query = {name.lower(): values[0] for name, values in parse_qs(parts.query).items()}
    if "x-amz-signature" not in query:
        credential = re.search(r"Credential=([^/]+)/", headers.get("Authorization", ""))
        if credential is None:
            raise InvalidClientTokenIdError
        return caller(account, credential[1])
    key_id, _, region, service, _ = query["x-amz-credential"].split("/")
    who = caller(account, key_id)
    signed = query["x-amz-signedheaders"].split(";")
    request = AWSRequest(
        method="GET",
        url=f"{parts.path}?" + "&".join(x for x in parts.query.split("&") if not x.startswith("X-Amz-Signature=")),
        headers={name: value for name, value in headers.items() if name.lower() in signed},
    )
    request.context["timestamp"] = query["x-amz-date"]
    auth = SigV4QueryAuth(Credentials(key_id, who.secret), service, region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if expected != query["x-amz-signature"] or who.token != query.get("x-amz-security-token"):
        raise SignatureDoesNotMatchError
    if _moment(query["x-amz-date"]) + _LIFE < datetime.now(UTC):
        raise JsonRESTError("SignatureDoesNotMatch", f"Signature expired: it was made over {_LIFE} ago.")
    return who


def callers_are_told_apart() -> None:
    """Make GetCallerIdentity return who signed, refuse an unknown key, and answer in JSON only on request."""

    def get_caller_identity(self: TokenResponse) -> ActionResult:
        who = signer(self.current_account, url=self.uri, headers=self.headers)
        return ActionResult({"UserId": who.user_id, "Account": self.current_account, "Arn": who.arn})

    patch(TokenResponse, "get_caller_identity", get_caller_identity)
    patch(TokenResponse, "request_json", property(lambda self: "application/json" in self.headers.get("Accept", "")))


def serve_sts(layout: Layout) -> None:
    """Serve STS at the host of a token's request, with a certificate from the sandbox's authority."""
    certificate = str(pki.server(layout, "sts", addresses.STS_HOST))
    server: Any = make_server(
        addresses.NODE_ADDRESS,
        443,
        create_backend_app("sts"),
        threaded=True,
        request_handler=MotoRequestHandler,
        ssl_context=(certificate, certificate),
    )
    threading.Thread(target=server.serve_forever, daemon=True, name="sts").start()


def user_with_key(account: str, *, name: str, key_id: str, secret: str) -> None:
    """Make an IAM user with a given access key; AWS would choose the key."""
    iam = iam_backends[account][_PARTITION]
    key = iam.create_user(addresses.REGION, name).create_access_key(prefix="AKIA")
    key.access_key_id, key.secret_access_key = key_id, secret


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
