"""What the types of EKS share: a status to wait for, updates, tags by ARN."""

import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from sandbox.plugins.aws.thing import POLL_SECONDS, Thing
from sandbox.plugins.resource import Call, PluginError
from sandbox.plugins.values import Properties

GONE = ("ResourceNotFoundException",)


class EksThing(Thing):
    """An object of EKS; its ARN is among its outputs."""

    gone = GONE
    in_use = ("ResourceInUseException",)
    seconds: ClassVar[tuple[float, float, float]]
    """How long it may take to make, to change and to delete, as the official provider."""

    @abstractmethod
    def describe(self, id: str) -> dict[str, Any]:
        """Give it as EKS describes it."""

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Wait until it is ACTIVE."""
        deadline = call.deadline(self.seconds[0])
        while (live := self.describe(id))["status"] != "ACTIVE":
            if live["status"] not in ("CREATING", "PENDING", "UPDATING", "DEGRADED"):
                raise PluginError(f"{self.title} ({id}) is {live['status']}: {_issues(live)}")
            if time.monotonic() > deadline:
                raise PluginError(f"{self.title} ({id}) is still {live['status']}: {_issues(live)}")
            call.pause(POLL_SECONDS)

    def await_update(self, update: dict[str, Any], *, call: Call, **where: str) -> None:
        """Wait until an update is over; PluginError when it failed."""
        deadline, number = call.deadline(self.seconds[1]), update["update"]["id"]
        while (live := self.aws.eks.describe_update(updateId=number, **where)["update"])["status"] == "InProgress":
            if time.monotonic() > deadline:
                raise PluginError(f"{self.title} ({where}): its {live['type']} {number} takes too long")
            call.pause(POLL_SECONDS)
        if live["status"] != "Successful":
            why = "; ".join(f"{each['errorCode']}: {each['errorMessage']}" for each in live.get("errors", []))
            raise PluginError(f"{self.title} ({where}): its {live['type']} ended as {live['status']}: {why}")

    def await_gone(self, id: str, *, call: Call) -> None:
        """Wait until it is deleted."""
        deadline = call.deadline(self.seconds[2])
        while self.is_there(lambda: self.describe(id)):
            if time.monotonic() > deadline:
                raise PluginError(f"{self.title} ({id}) is still there after its deletion")
            call.pause(POLL_SECONDS)

    def is_there(self, asked: Callable[[], object]) -> bool:
        """Tell whether EKS finds what it is asked for."""
        try:
            asked()
        except self.aws.eks.exceptions.ResourceNotFoundException:
            return False
        return True

    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags."""
        if remove:
            self.aws.eks.untag_resource(resourceArn=state["arn"], tagKeys=remove)
        if add:
            self.aws.eks.tag_resource(resourceArn=state["arn"], tags=add)


def _issues(live: dict[str, Any]) -> str:
    issues = live.get("health", {}).get("issues", [])
    return "; ".join(f"{each['code']}: {each['message']}" for each in issues) or "EKS gives no reason"
