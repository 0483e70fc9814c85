"""The `aws` section: account, region, endpoint and tags."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from infra.settings.section import Section, expected, must

MOST_TAGS = 40
"""AWS allows 50 tags on a resource (https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html), not counting
its own, `aws:...`. Ten are left to the program, EKS and kops, which set several on a machine: its name, cluster, group
and role, and those that the cluster autoscaler reads."""

_IN_TAGS = "letters, digits, spaces and + - = . _ : / @"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or out of range
        return False
    return is_url and parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)


def _is_taggable(text: str) -> bool:
    # The rule of the page above, for every service.
    return all(unicodedata.category(each)[0] in "LNZ" or each in "+-=._:/@" for each in text)


Region = Annotated[str, expected("an AWS region such as us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
Url = Annotated[str, expected("a URL such as http://127.0.0.1:4566, without a path"), must(_is_url)]
TagName = Annotated[
    str,
    expected(f"a name of 1 to 128 {_IN_TAGS}", min_length=1, max_length=128),
    must(_is_taggable),
    must(lambda name: not name.lower().startswith("aws:"), "a name without the prefix aws:, which AWS reserves"),
]
TagValue = Annotated[str, expected(f"at most 256 {_IN_TAGS}", max_length=256), must(_is_taggable)]


Account = Annotated[str, expected("an AWS account ID of 12 digits, in quotes", pattern=r"^[0-9]{12}$")]


class Aws(Section):
    """The AWS account and region. Credentials come from the environment, as for every AWS tool."""

    account: Account | None = None
    """The only account that the stack may use. Credentials of another account are refused before anything is read. This
    protects a refresh too, which would take everything for deleted, once an `up` has put the account into the state: so
    set it before the first one."""

    region: Region
    """The region of all resources."""
    endpoint: Url | None = None
    """The URL of a service that implements the AWS API, used for every AWS service. Default: AWS itself."""
    tags: Annotated[Mapping[TagName, TagValue], expected(f"at most {MOST_TAGS} tags", max_length=MOST_TAGS)] = {}
    """Tags for every resource that supports them."""
