"""The result of one check."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be checked; this finding or another one says why."""
    NOT_NEEDED = "not needed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check, and the fix."""

    check: str
    """What was checked."""
    state: State
    found: str
    """What there is, in which version, or the reason."""
    fix: str = ""
    """The command that fixes it or, if no command can, what to do; empty if there is nothing to fix."""

    @property
    def bad(self) -> bool:
        """Whether it must be fixed before an `up`."""
        return self.state in (State.MISSING, State.WRONG)

    def sentence(self) -> str:
        """Return what was checked, what was found and, if it must be fixed, how."""
        said = f"{self.check}: {self.found}{'' if self.found.endswith(('.', '?')) else '.'}"
        return f"{said} To fix it: {self.fix}" if self.fix else said
