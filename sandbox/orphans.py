"""Plugins whose engine was killed: they go on running, and may go on changing resources."""

import contextlib
import re

import psutil

from sandbox.layout import Layout

_PLUGIN = re.compile(
    r"(pulumi-(resource|language)-|sandbox\.plugins\.|sandbox/plugins/program\.py|pulumi\.dynamic).* 127\.0\.0\.1:\d+"
)
"""Matches the command line of a plugin, a language host, or its program: with the address of its engine."""
_PATIENCE = 6
"""Seconds for a plugin to end by itself; those of the embedded cloud give their calls 5."""


def end(layout: Layout) -> None:
    """End the plugins of this sandbox whose engine is gone; those of a running engine are left alone."""
    found = [each for each in psutil.process_iter() if _is_orphan(each, layout)]
    for stop in (psutil.Process.terminate, psutil.Process.kill):
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):  # psutil never signals a later process with the same id
                stop(process)
        _, found = psutil.wait_procs(found, timeout=_PATIENCE)


def _is_orphan(process: psutil.Process, layout: Layout) -> bool:
    """Return whether it is a plugin with this sandbox's PULUMI_HOME and no engine among its ancestors."""
    try:
        if not _PLUGIN.search(" ".join(process.cmdline())):
            return False
        home = process.environ().get("PULUMI_HOME")
        return home == str(layout.root / "pulumi") and "pulumi" not in {each.name() for each in process.parents()}
    except psutil.Error:  # it has ended, or belongs to another user
        return False
