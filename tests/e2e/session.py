"""What the tests of a session share besides the deployment."""

from dataclasses import dataclass, field

from tests.e2e.machine import Traces
from tests.e2e.stack import Done


@dataclass(frozen=True, slots=True)
class Times:
    """Measured times and their limits, in seconds."""

    measured: dict[str, tuple[float, float]] = field(default_factory=dict)
    factor: float = 1
    """Multiplies all limits, which are for the stack `local`."""

    def hold(self, what: str, seconds: float, *, limit: float) -> None:
        """Record a time for the report; fail unless it is under its limit."""
        limit *= self.factor
        self.measured[what] = (seconds, limit)
        assert seconds < limit, f"{what} took {seconds:.1f} s, which is not under {limit:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstUp:
    """The `up` from nothing that the session began with."""

    before: Traces
    """What was on the host before."""
    done: Done
    commands: set[str]
    """Every command line seen in the process list during the `up`."""
