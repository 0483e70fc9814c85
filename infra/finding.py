"""What one look at one thing found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be looked at; another finding says why, or this one does."""
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a look at one thing found, and what mends it."""

    check: str
    """What was looked at."""
    state: State
    found: str
    """What there is, in which version, or what the reason is."""
    mend: str = ""
    """The one command that mends it, or, where no command can, what to do; empty when nothing is to be mended."""

    @property
    def bad(self) -> bool:
        """Whether it has to be mended before an `up`."""
        return self.state in (State.MISSING, State.WRONG)

    def sentence(self) -> str:
        """What was looked at, what was found and, where it has to be mended, how."""
        said = f"{self.check}: {self.found}{'' if self.found.endswith(('.', '?')) else '.'}"
        return f"{said} To mend it: {self.mend}" if self.mend else said
