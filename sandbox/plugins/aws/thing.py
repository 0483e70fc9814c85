"""What the types of one tagged object of AWS share: made, looked at, changed, tagged and removed by its id."""

import time
from abc import abstractmethod
from typing import Any, ClassVar

from sandbox.plugins.aws.client import AwsError, doing, unless
from sandbox.plugins.aws.tags import Tagged
from sandbox.plugins.resource import Call, PartialFailureError, PluginError
from sandbox.plugins.values import Properties

SUFFIX = 7
"""Hexadecimal digits after a generated name, as the official provider."""
POLL_SECONDS = 2.0
"""How often something that takes its time is looked at."""
IN_USE_SECONDS = 20 * 60
"""How long a deletion waits for what still uses the object, as the official provider for most of EC2."""

Seen = tuple[Properties, dict[str, str]]
"""The outputs without tags, and the live tags."""


class Thing(Tagged):
    """One object with an id and tags."""

    title: ClassVar[str]
    """What errors call it."""
    gone: ClassVar[tuple[str, ...]]
    """AWS's error codes when it is not there."""
    in_use: ClassVar[tuple[str, ...]] = ("DependencyViolation",)
    """AWS's error codes when it cannot be deleted yet."""
    named: ClassVar[str] = ""
    """The input that gets a generated name when the program gives none; empty for a type without."""

    @abstractmethod
    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it with its tags and give its id."""

    @abstractmethod
    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Give it as it is now, or None where AWS says without an error that it is not there."""

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Do what takes more than one request to make it, and wait until it can be used."""
        return

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Change it in place, its tags apart."""
        return

    @abstractmethod
    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags; neither is asked for when it is empty."""

    @abstractmethod
    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Make a name up where one is missing: the logical name and a suffix."""
        if not self.named:
            return inputs
        return {self.named: old.get(self.named) or f"{call.name}-{call.seed.hex()[:SUFFIX]}"} | inputs

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make it, and wait until it can be used."""
        with doing(f"creating {self._called(inputs, call.name)}"):
            made = self.make(inputs, tags=self.merged(inputs), call=call)
        try:
            with doing(f"creating {self._called(inputs, made)}"):
                self.finish(made, inputs, call=call)
            return made, self._must_be_there(made, state=inputs)
        except PluginError as error:
            raise PartialFailureError(str(error), id=made, outputs=inputs | {"tagsAll": {}}) from error

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look it up."""
        with unless(*self.gone), doing(f"reading {self.title} ({id})"):
            return self._outputs(id, state=state)
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change it, then its tags."""
        with doing(f"updating {self._called(inputs, id)}"):
            self.change(id, state=state, inputs=inputs, call=call)
        before, wanted = state.get("tagsAll") or {}, self.merged(inputs)
        add = {key: value for key, value in wanted.items() if before.get(key) != value}
        remove = [key for key in before if key not in wanted]
        with doing(f"tagging {self._called(inputs, id)}"):
            if add or remove:
                self.tag(id, state=state, add=add, remove=remove)
        return self._must_be_there(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it, waiting for what still uses it to go."""
        deadline = call.deadline(IN_USE_SECONDS)
        while True:
            try:
                with unless(*self.gone), doing(f"deleting {self._called(state, id)}"):
                    self.remove(id, state=state, call=call)
                return
            except AwsError as error:
                if error.code not in self.in_use or time.monotonic() > deadline:
                    raise
                call.log(f"waiting for what uses {self.title} ({id}): {error}")
            call.pause(POLL_SECONDS)

    def _called(self, properties: Properties, otherwise: str) -> str:
        return f"{self.title} ({properties.get(self.named) or otherwise})"

    def _outputs(self, id: str, *, state: Properties) -> Properties | None:
        seen = self.look(id, state=state)
        if seen is None:
            return None
        outputs, tags = seen
        return outputs | self.seen(tags, state)

    def _must_be_there(self, id: str, *, state: Properties) -> Properties:
        with doing(f"reading {self.title} ({id})"):
            outputs = self._outputs(id, state=state)
        if outputs is None:
            raise PluginError(f"{self.title} ({id}) was written and is not there, run it again")
        return outputs


def given(inputs: Properties, **names: str) -> dict[str, Any]:
    """Give the inputs that are given, by AWS's names: `given(inputs, vpcId="VpcId")`."""
    return {theirs: inputs[ours] for ours, theirs in names.items() if inputs.get(ours) is not None}
