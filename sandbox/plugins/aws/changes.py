"""Route 53's changes, which take effect some time after they are accepted."""

import time
from typing import Any

from sandbox.plugins.aws.client import doing
from sandbox.plugins.resource import Call, PluginError

CHANGE_SECONDS = 30 * 60
"""How long to wait for a change when the program sets no timeout, as the official provider."""
POLL_SECONDS = 2
"""Time between two looks at a change, well under Route 53's five requests a second."""


def await_insync(route53: Any, change: dict[str, Any], *, what: str, call: Call) -> None:
    """Wait until the change has reached every name server. Raises PluginError when it takes too long."""
    deadline = call.deadline(CHANGE_SECONDS)
    while change["Status"] != "INSYNC":
        if time.monotonic() > deadline:
            raise PluginError(f"{what}: Route 53 change {change['Id']} is still {change['Status']}, run it again")
        call.pause(POLL_SECONDS)
        with doing(what):
            change = route53.get_change(Id=change["Id"])["ChangeInfo"]


def same_name(one: object, other: object) -> bool:
    """Tell whether two domain names are the same but for case and a final dot."""
    return isinstance(one, str) and isinstance(other, str) and plain_name(one) == plain_name(other)


def plain_name(name: str) -> str:
    """Spell a domain name in small letters, without a final dot, a `*` where Route 53 has its octal."""
    return name.lower().rstrip(".").replace("\\052", "*")
