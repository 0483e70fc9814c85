"""Types of single values that more than one section uses: what each must look like, in words and as a pattern."""

import ipaddress
import re
import unicodedata
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from infra.settings.section import expected, must, refused

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
"""One label of a DNS name in lower case (RFC 1123)."""
HOST = rf"{LABEL}(\.{LABEL})*"
"""Labels with dots between them."""
TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
"""An image's tag, and below its digest and one part of its repository's path: as in the grammar of references of
github.com/distribution/reference."""
DIGEST = r"sha256:[0-9a-f]{64}"
PATH = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"


def is_address(text: str) -> bool:
    """Say whether a text is an IP address, of version 4 or 6."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def in_ascii(text: str) -> str:
    """Give a DNS name as it is in the DNS: composed, in lower case, other labels than ASCII in Punycode (RFC 5891)."""
    labels = unicodedata.normalize("NFC", text.lower()).split(".")
    return ".".join(each if each.isascii() else f"xn--{each.encode('punycode').decode()}" for each in labels)


def host_name(text: str) -> str:
    """Check a DNS name of two labels or more, in lower case, without a trailing dot or wildcard."""
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
        raise refused(f"a network with its length such as {network}")
    return text


def _content(path: object) -> str:
    """Read the file that is named instead of a secret, its last newline dropped.

    A path that leads nowhere is not repeated: it may be the secret itself.
    """
    if not isinstance(path, str) or not path:
        raise refused("the path of a file", found="nothing" if not path else "no text")
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeError:
        raise refused("a file of text in UTF-8", found="a file of something else") from None
    except (OSError, RuntimeError, ValueError) as error:  # there is no such file, or no home; or a NUL is in the path
        reason = (error.strerror if isinstance(error, OSError) else None) or "it cannot be read"
        raise refused(f"the path of a file that can be read ({reason})", found="another text") from None


HostName = Annotated[str, expected("a DNS name in lower case such as dev.example.com"), AfterValidator(host_name)]
ObjectName = Annotated[
    str, expected("DNS labels in lower case such as useast1.dev.example.com", pattern=f"^{HOST}$", max_length=253)
]
"""The name of an object of Kubernetes, or of what is called like one."""
Label = Annotated[
    str,
    expected("a DNS label: at most 63 of a-z, 0-9 and -, with a letter or digit at both ends", pattern=f"^{LABEL}$"),
]
Address = Annotated[str, expected("an IP address such as 1.1.1.1"), must(is_address)]
Network = Annotated[str, expected("an IPv4 network such as 10.0.0.0/16"), AfterValidator(_network)]

NOT_EMPTY = must(lambda secret: secret.get_secret_value().strip(), "a text that is not empty")
"""For a secret of which nothing else is known."""
FROM_FILE = BeforeValidator(_content)
"""For a secret that is given by the path of a file, from the project or from ~."""
