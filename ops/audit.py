"""What a stack left behind, by tag and name, in AWS and in the cluster, each with the command that removes it.

Of the stack's state it takes only what nobody else can know: the audit is of the world, and can be repeated.
"""

from dataclasses import dataclass
from typing import Annotated

import typer

from ops import engine, settings, traces
from ops.errors import OpsError
from ops.leftovers import LOOKS, Left
from ops.traces import Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the audit found."""

    left: list[Left]
    unseen: list[str]
    """What could not be looked at, and why."""

    @property
    def clean(self) -> bool:
        """Whether everything was looked at, and nothing was found."""
        return not self.left and not self.unseen


def run(stack: Annotated[str, typer.Option("--stack", help="The stack that was destroyed.")]) -> None:
    """List what a destroyed stack left in AWS and in the cluster; exit 1 when there is something."""
    tell(audit(traces.traces(settings.read(stack), engine.state(stack))))


def tell(report: Report) -> None:
    """Print the report. Exits with 1 unless it is clean."""
    for each in report.left:
        print(f"Left: {each.what}\n  {each.remove}")
    for why in report.unseen:
        print(f"Not audited: {why}")
    if report.clean:
        print("Nothing is left of the stack in AWS or in the cluster.")
        return
    print(f"{len(report.left)} left, {len(report.unseen)} not audited. `python -m ops audit` looks again.")
    raise typer.Exit(1)


def audit(of: Traces) -> Report:
    """Look everywhere. Raises nothing: what cannot be looked at is in the report."""
    left, unseen = [], []
    for look in LOOKS:
        try:
            left += list(look(of))
        except OpsError as error:
            unseen.append(str(error))
    return Report(left=left, unseen=unseen)
