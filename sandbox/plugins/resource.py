"""What a stand-in is made of: resource types, functions and the errors they raise, in plain Python values."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from sandbox.plugins.schema import Schema
from sandbox.plugins.values import UNKNOWN, Properties


class PluginError(Exception):
    """An operation failed; the message says what, why and what to do, and reaches the user as it is."""


class InvalidInputError(PluginError):
    """An input is wrong: `path` names it as Pulumi spells it, the message says why."""

    def __init__(self, path: str, reason: str) -> None:
        """Refuse the input at `path` for `reason`."""
        super().__init__(reason)
        self.path = path


class PartialFailureError(PluginError):
    """The resource exists but is not as asked: it stays in the state, and the next update mends it."""

    def __init__(self, reason: str, *, id: str, outputs: Properties) -> None:
        """Keep `id` and `outputs` in the state and fail with `reason`."""
        super().__init__(reason)
        self.id, self.outputs = id, outputs


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of the engine: whom it is about, how long it may take, and how to talk back meanwhile."""

    urn: str = ""
    timeout: float = 0
    """Seconds from the resource's customTimeouts; 0 when the program gave none."""
    seed: bytes = b""
    """Random bytes that stay the same for one resource, for generated names; only while checking."""
    log: Callable[[str], None] = field(default=print)
    """Shows a line of progress beside the resource."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when the user interrupts."""

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return self.urn.rsplit("::", 1)[-1]

    def deadline(self, default: float) -> float:
        """Give the time.monotonic() to be done by: the program's own timeout, else `default` seconds."""
        return time.monotonic() + (self.timeout or default)

    def pause(self, seconds: float) -> None:
        """Wait that long. Raises PluginError as soon as the user interrupts."""
        if self.cancelled.wait(seconds):
            raise PluginError("interrupted while waiting; run the update again to go on")


class ResourceType(ABC):
    """One resource type. Methods take and give plain properties; each may block, in a thread of its own.

    `inputs` in every method have passed `check`; `state` is what `create`, `update` or `read` gave last.
    """

    token: ClassVar[str]
    """The type's name, such as `aws:route53/zone:Zone`."""
    inputs: ClassVar[Mapping[str, Schema]]
    """The input properties it implements; any other is refused by name."""
    required: ClassVar[frozenset[str]] = frozenset()
    """Top-level inputs that must be given."""
    computed: ClassVar[frozenset[str]] = frozenset()
    """Outputs that are not known before the resource exists."""
    filled_in: ClassVar[frozenset[str]] = frozenset()
    """Inputs that the service chooses when the program is silent, as dotted names; on refresh they stay out of its
    inputs, and a program that no longer gives one, such as after an import, leaves it as it is."""
    secrets: ClassVar[frozenset[str]] = frozenset()
    """Inputs and outputs that are secret even when the program did not say so, as dotted names."""
    replace_on: ClassVar[frozenset[str]] = frozenset()
    """Dotted names of the inputs whose change replaces the resource."""
    delete_before_replace: ClassVar[bool] = False
    """Whether two of it cannot exist side by side."""

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Give the inputs with defaults and generated names filled in.

        `old` are the last checked inputs, empty for a new resource. Raises InvalidInputError.
        """
        return inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Give checked inputs in the one spelling that all inputs of the same meaning share.

        What it gives is only compared, never used; `inputs` may be some of them, and UNKNOWN in places.
        """
        return inputs

    def replaces(self, old: Properties, new: Properties) -> frozenset[str]:
        """Give the dotted names of the inputs whose change replaces the resource, for these two."""
        return self.replace_on

    def deletes_first(self, old: Properties, new: Properties) -> bool:
        """Tell whether the old resource must be gone before the new one of these inputs can be made."""
        return self.delete_before_replace

    def planned(self, inputs: Properties) -> Properties:
        """Give the outputs that follow from the inputs and the provider alone, such as merged tags.

        Any that differs from the state is a change, as a different input would be.
        """
        return {}

    def preview(self, inputs: Properties, *, state: Properties | None) -> Properties:
        """Give what `create` (`state` is None) or `update` would, UNKNOWN where it is not known yet."""
        if state is None:
            return dict.fromkeys(self.computed, UNKNOWN) | inputs | self.planned(inputs)
        kept = {name: value for name, value in state.items() if name not in self.inputs}
        return kept | inputs | self.planned(inputs)

    def live_inputs(self, outputs: Properties, *, old: Properties) -> Properties:
        """Give the inputs that would lead to `outputs`, as read just now; `old` is empty on import."""
        live = {}
        for name in self.inputs:
            value = outputs.get(name)
            if name in old:
                same = self.comparable({name: old[name]}) == self.comparable({name: value})
                live[name] = old[name] if same else value
            elif not (old and (value is False or name in self.filled_in)) and value not in ("", [], {}):
                live[name] = value
        return {name: value for name, value in live.items() if value is not None}

    @abstractmethod
    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make it; give its id and outputs. Raises PartialFailureError if it exists but is not as asked."""

    @abstractmethod
    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Give its outputs (the inputs among them) as they are now, or None if it is gone.

        Raises PartialFailureError if it is there but not in working order: the next update then mends it.

        `state` is empty when the resource is being imported.
        """

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change it in place and give its outputs."""
        raise PluginError(f"{self.token} cannot be changed in place")

    @abstractmethod
    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it; one that is gone already is no error."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function that programs may invoke."""

    token: str
    inputs: Mapping[str, Schema]
    outputs: frozenset[str]
    """What it returns; all UNKNOWN while an argument is."""
    call: Callable[[Properties], Properties]


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A whole stand-in."""

    name: str
    """The package it stands in for, such as `aws`."""
    version: str
    """The version of the package's SDK: the engine wants one at least as new as the program's."""
    config: Mapping[str, Schema]
    """The provider inputs it implements."""
    replace_on: frozenset[str] = frozenset()
    """Provider inputs whose change replaces every resource of the provider."""
    replaces: Callable[[Properties, Properties], frozenset[str]] = lambda old, new: frozenset()
    """Those of them for which it depends on the old and the new inputs."""
    build: Callable[[Properties], tuple[Sequence[ResourceType], Sequence[Function]]]
    """Makes the types and functions from the provider's inputs."""
