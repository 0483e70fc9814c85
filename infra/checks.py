"""What a single value of the configuration must look like.

Each check takes a text and returns what was expected of it, or None when it is as expected. No check
repeats the value: what may be shown of it is the caller's business.
"""

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import yaml

Check = Callable[[str], str | None]
"""Returns what was expected of the text, None when it is as expected."""

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# A repository's path, a tag and a reference as the image specification's grammar has them ("distribution").
_PATH = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_SERVER = rf"{_LABEL}(\.{_LABEL})*(:[0-9]{{1,5}})?"
_DIGEST = r"sha256:[0-9a-f]{64}"

PLATFORMS = ("linux/amd64", "linux/arm64")
"""What the nodes may be: the architectures for which the base image is published and EC2 has machines."""

SECRET_KEY_LENGTH = 50
"""Characters: what Django's own check `security.W009` asks of SECRET_KEY."""


def _matching(pattern: str, expected: str) -> Check:
    compiled = re.compile(pattern)
    return lambda text: None if compiled.fullmatch(text) else expected


def certificate_arn(text: str, *, region: str) -> str | None:
    """Check the ARN of a certificate of ACM in the region: a classic balancer takes it from nowhere else."""
    arn = re.fullmatch(r"arn:aws[a-z-]*:acm:([a-z0-9-]+):[0-9]{12}:certificate/[0-9a-zA-Z-]+", text)
    if not arn:
        return "the ARN of a certificate such as arn:aws:acm:us-east-1:<account>:certificate/<id>"
    return None if not region or arn[1] == region else f"the ARN of a certificate in {region}, where the balancer is"


def parent_zone(text: str, *, domain: str) -> str | None:
    """Check the name of a zone above the domain, or the id of a hosted zone, which begins with a Z."""
    if re.fullmatch(r"Z[A-Z0-9]{1,31}", text):
        return None
    if expected := host_name(text):
        return f"{expected.replace('dev.example.com', 'example.com')}, or the id of a hosted zone"
    return None if not domain or domain.endswith(f".{text}") else f"a zone above {domain}"


def address(text: str) -> str | None:
    """Check an IP address, of version 4 or 6."""
    return None if _is_address(text) else "an IP address such as 1.1.1.1"


def host_name(text: str) -> str | None:
    """Check a DNS name of two labels or more, in lower case, without a trailing dot or wildcard."""
    if text.endswith("."):
        return "a DNS name without the trailing dot"
    labels = text.split(".")
    is_name = len(labels) > 1 and len(text) <= 253 and all(re.fullmatch(_LABEL, label) for label in labels)
    if not is_name or _is_address(text):
        return "a DNS name in lower case such as dev.example.com"
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def zone_name(text: str) -> str | None:
    """Check a host name that leaves room for the bucket `clusters.<it>`: S3 allows a bucket 63 characters."""
    if len(text) > 63 - len("clusters."):
        return "at most 54 characters, since the bucket clusters.<domain> may have 63"
    return host_name(text)


def certificate_name(text: str) -> str | None:
    """Check a host name for which ACM gives a certificate: its first name may have 64 characters."""
    return "at most 64 characters, the most that ACM certifies" if len(text) > 64 else host_name(text)


def url(text: str) -> str | None:
    """Check the address of a service: scheme http or https, a host, maybe a port, and nothing behind it."""
    expected = "a URL such as http://127.0.0.1:4566, without a path"
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or out of range
        return expected
    extra = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None
    return None if is_url and not extra else expected


def tag_name(text: str) -> str | None:
    """Check the name of a tag on an AWS resource: at most 128 characters, and not of AWS's own."""
    if text.lower().startswith("aws:"):
        return "a name without the prefix aws:, which AWS keeps for itself"
    return None if 0 < len(text) <= 128 else "a name of 1 to 128 characters"


def tag_value(text: str) -> str | None:
    """Check the value of a tag on an AWS resource: at most 256 characters."""
    return None if len(text) <= 256 else "at most 256 characters"


region = _matching(r"[a-z]{2}(-[a-z]+)+-[0-9]", "an AWS region such as us-east-1")
cluster_name = _matching(
    rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*",
    "a name of DNS labels in lower case such as useast1.dev.example.com",
)
namespace = _matching(_LABEL, "a DNS label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends")
object_name = _matching(
    rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*", "the name of an object: DNS labels in lower case such as site-tls"
)
registry_server = _matching(_SERVER, "a host with or without a port such as registry.example.com:5000, no scheme")
# RFC 7617: in the header that carries them, the first colon ends the user's name.
username = _matching(r"[^\s:]+", "a user's name without spaces or colons")
email = _matching(rf"[^\s@]+@{_LABEL}(\.{_LABEL})*", "an e-mail address such as ops@example.com")
repository = _matching(
    rf"{_PATH}(/{_PATH})*",
    "a repository's path in lower case such as contraslash/ejemplo-django, without server or tag",
)
# What ECR allows of that (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html).
ecr_repository = _matching(
    r"(?=.{2,256}$)([a-z0-9]+([._-][a-z0-9]+)*/)*[a-z0-9]+([._-][a-z0-9]+)*",
    "the name of an ECR repository such as contraslash/ejemplo-django: 2 to 256 of a-z, 0-9 and, between them, one of "
    "., _, - and /",
)
base_image = _matching(
    rf"({_SERVER}/)?{_PATH}(/{_PATH})*(:{_TAG})?(@{_DIGEST})?", "an image such as python:3.13-slim-bookworm"
)

image_digest = _matching(_DIGEST, "a digest such as the output image ends with: sha256: and 64 of 0-9 and a-f")


machine_type = _matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "an EC2 machine type such as t3.medium")


def machine_platform(text: str) -> str:
    """Tell what an EC2 machine type runs: in AWS's names a `g` behind the generation is Graviton, which is arm64."""
    return "linux/arm64" if re.match(r"a1\.|[a-z]+[0-9]+g[a-z]*\.", text) else "linux/amd64"


def cidr(text: str) -> str | None:
    """Check an IPv4 network with its length, its host bits zero."""
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        return "an IPv4 network such as 10.0.0.0/16"
    return None if text == str(network) else f"a network with its length such as {network}"


def image_tag(text: str) -> str | None:
    """Check an image's tag; `latest` is refused because it names another image after every push."""
    if text == "latest":
        return "a tag that names one version, such as v1"
    return None if re.fullmatch(_TAG, text) else "a tag of letters, digits, '_', '.' and '-' such as v1"


def platform(text: str) -> str | None:
    """Check what the image is built for against PLATFORMS."""
    return None if text in PLATFORMS else f"one of {', '.join(PLATFORMS)}"


def secret_key(text: str) -> str | None:
    """Check Django's key as `manage.py check --deploy` does (security.W009): long, varied, not an example."""
    if len(text) < SECRET_KEY_LENGTH or len(set(text)) < 5:
        return f"at least {SECRET_KEY_LENGTH} characters, 5 of them different"
    return "a key of your own, not one of Django's examples" if text.startswith("django-insecure-") else None


def filled(text: str) -> str | None:
    """Check that there is something but spaces in a text."""
    return None if text.strip() else "a text that is not empty"


def kubeconfig(text: str) -> str | None:
    """Check the contents of a kubeconfig: YAML, with a current-context that is among its contexts."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return "the contents of a kubeconfig, in YAML"
    if not isinstance(document, dict):
        return "the contents of a kubeconfig: an object with clusters, users and contexts"
    current, contexts = document.get("current-context"), document.get("contexts")
    if not current:
        return "a kubeconfig with a current-context, which says where to deploy"
    names = [each.get("name") for each in contexts if isinstance(each, dict)] if isinstance(contexts, list) else []
    return None if current in names else "a kubeconfig whose current-context is one of its contexts"
