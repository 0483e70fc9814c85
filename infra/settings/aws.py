"""Where in AWS."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from infra.settings.section import Section, expected, must

MOST_TAGS = 40
"""Of the 50 that a resource may carry (https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html) ten are
left to the program, EKS and kops, which set several on a machine: its name, its cluster, its group, its role, and what
the cluster autoscaler goes by. AWS's own, `aws:...`, do not count."""

_IN_TAGS = "letters, digits, spaces and + - = . _ : / @"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or out of range
        return False
    return is_url and parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)


def _is_taggable(text: str) -> bool:
    # As the page above has it for every service.
    return all(unicodedata.category(each)[0] in "LNZ" or each in "+-=._:/@" for each in text)


Region = Annotated[str, expected("an AWS region such as us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
Url = Annotated[str, expected("a URL such as http://127.0.0.1:4566, without a path"), must(_is_url)]
TagName = Annotated[
    str,
    expected(f"a name of 1 to 128 {_IN_TAGS}", min_length=1, max_length=128),
    must(_is_taggable),
    must(
        lambda name: not name.lower().startswith("aws:"), "a name without the prefix aws:, which AWS keeps for itself"
    ),
]
TagValue = Annotated[str, expected(f"at most 256 {_IN_TAGS}", max_length=256), must(_is_taggable)]


class Aws(Section):
    """Where in AWS. The credentials come from the environment, as for every tool of AWS's."""

    region: Region
    """The region of everything that the program makes."""
    endpoint: Url | None = None
    """The URL of a service that speaks AWS's API, for every service; AWS itself when it is not given."""
    tags: Annotated[Mapping[TagName, TagValue], expected(f"at most {MOST_TAGS} tags", max_length=MOST_TAGS)] = {}
    """Texts by name, on every resource that can carry tags."""
