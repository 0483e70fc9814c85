"""What the tests of one session have in common besides the deployment itself."""

from dataclasses import dataclass, field

from tests.e2e.machine import Traces
from tests.e2e.stack import Done


@dataclass(frozen=True, slots=True)
class Times:
    """What took how long, in seconds, beside what it may take."""

    measured: dict[str, tuple[float, float]] = field(default_factory=dict)

    def hold(self, what: str, seconds: float, *, limit: float) -> None:
        """Write a time down for the report, and fail when it is over its limit."""
        self.measured[what] = (seconds, limit)
        assert seconds < limit, f"{what} took {seconds:.1f} s, which is not under {limit:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstUp:
    """The `up` from nothing, with which the session began."""

    before: Traces
    """What the host was like before."""
    done: Done
    commands: set[str]
    """Every command line that was to be seen in the process list meanwhile."""
