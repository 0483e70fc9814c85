"""Types of single values that several sections use, with their patterns and descriptions."""

import ipaddress
import re
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ValidationInfo

from infra.settings.section import expected, facts, must, refused

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""One label of a DNS name in lower case (RFC 1123)."""
HOST = rf"{LABEL}(\.{LABEL})*"
"""Labels separated by dots."""
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
"""An image's tag; below, its digest and one part of its repository's path. All follow the grammar of references of
github.com/distribution/reference."""
DIGEST = r"sha256:[0-9a-f]{64}"
PATH = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
STACK = r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+){2}"
"""A stack's full name."""
OUTPUT = r"[A-Za-z_][A-Za-z0-9_-]*"
"""The name of a stack's output."""


def is_address(text: str) -> bool:
    """Return whether a string is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def in_ascii(text: str) -> str:
    """Return a DNS name as it is in the DNS: composed, in lower case, non-ASCII labels in Punycode (RFC 5891)."""
    labels = unicodedata.normalize("NFC", text.lower()).split(".")
    return ".".join(each if each.isascii() else f"xn--{each.encode('punycode').decode()}" for each in labels)


def host_name(text: str) -> str:
    """Return a DNS name if it is valid, otherwise raise.

    A valid one has two labels or more, is in lower case, and has no trailing dot and no wildcard.
    """
    if not text.isascii():
        raise refused(f"the name as it is in the DNS, {in_ascii(text)}")
    if text.endswith("."):
        raise refused("a DNS name without the trailing dot")
    if "." not in text or len(text) > 253 or not re.fullmatch(HOST, text) or is_address(text):
        raise refused("")
    return text


def _network(text: str) -> str:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError:
        raise refused("") from None
    if text != str(network):
        raise refused(f"a network with its prefix length such as {network}")
    return text


def _content(path: object) -> str:
    """Read the file that is given instead of a secret, without its trailing newlines.

    An error does not repeat the path: it may be the secret itself.
    """
    if not isinstance(path, str) or not path:
        raise refused("the path of a file", found="nothing" if not path else "no string")
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeError:
        raise refused("a text file in UTF-8", found="another kind of file") from None
    except (OSError, RuntimeError, ValueError) as error:  # no such file, or no home; or a NUL in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or "it cannot be read"
        raise refused(f"the path of a readable file ({reason})", found="a path that is not shown") from None


def of_another_stack(reference: str, info: ValidationInfo) -> str:
    """Refuse a reference to this stack or to one of its outputs."""
    if reference.partition("#")[0].partition("/")[2] == facts(info).stack:
        raise refused("a stack other than this one")
    return reference


HostName = Annotated[str, expected("a DNS name in lower case such as dev.example.com"), AfterValidator(host_name)]
ObjectName = Annotated[
    str, expected("DNS labels in lower case such as useast1.dev.example.com", pattern=f"^{HOST}$", max_length=253)
]
"""The name of a Kubernetes object, or one that follows the same rule."""
Label = Annotated[
    str,
    expected("a DNS label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends", pattern=f"^{LABEL}$"),
]
Address = Annotated[str, expected("an IP address such as 1.1.1.1"), must(is_address)]
Network = Annotated[str, expected("an IPv4 network such as 10.0.0.0/16"), AfterValidator(_network)]
OutputReference = Annotated[
    str,
    expected(
        "another stack's output, <organization>/<project>/<stack>#<output>, such as organization/shop/staging#image",
        pattern=f"^{STACK}#{OUTPUT}$",
    ),
    AfterValidator(of_another_stack),
]
"""A reference that `infra.stacks` can read."""

NOT_EMPTY = must(lambda secret: secret.get_secret_value().strip(), "a string that is not empty")
"""For a secret about which nothing else is known."""
FROM_FILE = BeforeValidator(_content)
"""For a secret that is given as the path of a file, relative to the project or beginning with ~."""
