"""Name a mutating request in words that are the same in every run; give None for any other request."""

import io
import json
import re

from sandbox.aws import calls
from tests.crashes.proxy import Call

_READS = re.compile(r"(Get|List|Describe|Head|BatchGet|BatchCheck|Lookup|Simulate|AssumeRole)")
_ASKED = ("authorization.k8s.io", "authentication.k8s.io")
"""The API groups in which a POST changes nothing."""


def of_aws(call: Call) -> str | None:
    """Return the service and the operation, such as `route53 CreateHostedZone`; for a record also its type."""
    headers = {name.lower(): value for name, value in call.headers.items()}
    path, _, query = call.path.partition("?")
    found = calls.called(
        {
            "REQUEST_METHOD": call.method,
            "RAW_URI": call.path,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(call.body)),
            "CONTENT_TYPE": headers.get("content-type", ""),
            "HTTP_AUTHORIZATION": headers.get("authorization", ""),
            "wsgi.input": io.BytesIO(call.body),
            **({"HTTP_X_AMZ_TARGET": headers["x-amz-target"]} if "x-amz-target" in headers else {}),
        }
    )
    if found is None or _READS.match(found["operation"]):
        return None
    record = re.search(rb"<Type>(\w+)</Type>", call.body) if found["operation"] == "ChangeResourceRecordSets" else None
    return " ".join([found["service"], found["operation"], *([record[1].decode()] if record else [])])


def of_kubernetes(call: Call) -> str | None:
    """Return the method and the object, without a random suffix: `kubernetes PATCH secrets/regcred`."""
    path, _, query = call.path.partition("?")
    if call.method == "GET" or "dryRun=" in query or any(group in path for group in _ASKED):
        return None
    parts = path.split("/")
    parts = parts[parts.index("namespaces") + 2 :] if "namespaces" in parts[:-2] else parts[-2:]
    if call.method == "POST":
        parts.append(json.loads(call.body)["metadata"].get("name", ""))
    return f"kubernetes {call.method} {re.sub(r'-[0-9a-f]{8}$', '', '/'.join(parts))}"


def of_registry(call: Call) -> str | None:
    """Return the method and the kind of content: `registry PUT manifests`."""
    found = re.search(r"/(uploads|manifests|blobs)\b", call.path)
    return None if call.method in ("GET", "HEAD") or not found else f"registry {call.method} {found[1]}"
