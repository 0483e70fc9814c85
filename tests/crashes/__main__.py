"""The sweep, `make crashes`: a kill at every mutating request of a first deploy, a release and a destroy."""

import argparse
import itertools
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.crashes import sweep
from tests.crashes.sweep import ENGINE, PHASES, TREE, Ended
from tests.crashes.world import World, world


def main() -> int:
    """Run the sweep; return 1 if an interruption cost something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stack", default="local", help="the stack file: local, or local-eks")
    parser.add_argument("--phase", choices=PHASES, help="one phase alone")
    parser.add_argument("--request", default="", help="only requests with these words in their names")
    parser.add_argument("--way", choices=sweep.WAYS, nargs="*", default=[ENGINE, TREE], help="what is interrupted")
    given = parser.parse_args()
    # Exit in order, so that everything that runs for the sweep ends too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    with (
        tempfile.TemporaryDirectory(prefix="crashes-", ignore_cleanup_errors=True) as home,
        world(Path(home), given.stack) as made,
    ):
        ended = swept(made, [given.phase] if given.phase else PHASES, given.request, given.way)
    lost = [each for each in ended if each.faults]
    print(f"\n{len(ended)} kills, of which {len(lost)} cost something")
    for each in lost:
        print(f"\n{each.point.phase}, {each.point}, {each.way}")
        for fault in each.faults:
            print(f"    {fault}")
    return 1 if lost else 0


def swept(made: World, phases: Sequence[str], request: str, ways: Sequence[str]) -> list[Ended]:
    """Repeat the phases in a cycle, each time with the next kill in each phase that was asked for."""
    points = {phase: sweep.recorded(made, phase) for phase in PHASES}
    kills = {
        phase: []
        if phase not in phases
        else [(each, way) for each in points[phase] if request in each.request for way in ways]
        for phase in PHASES
    }
    print(", ".join(f"{phase}: {len(each)} requests" for phase, each in points.items()), flush=True)
    ended = []
    for turn in itertools.zip_longest(*kills.values()):
        for phase, kill in zip(PHASES, turn, strict=True):
            if kill:
                ended.append(sweep.interrupted(made, *kill))
                print(line(ended[-1], points[phase].index(kill[0]) + 1), flush=True)
    return ended


def line(ended: Ended, number: int) -> str:
    """Return an interruption as one line; of several faults, the first."""
    verdict = f"{len(ended.faults)} faults, {ended.faults[0]}" if ended.faults else "ok"
    return "  ".join(
        [
            f"{ended.point.phase:12}",
            f"{number:3}",
            f"{ended.point!s:50}",
            f"{ended.way:18}",
            f"{', '.join(ended.screen)[:90]:90}" if ended.faults else ", ".join(ended.screen),
            " && ".join(ended.done),
            f"{ended.seconds:.0f} s",
            verdict if ended.came else f"never came; {verdict}",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
