"""Run Pulumi's engine, and find the reason of a failure in its events: on screen, outputs and counts follow it."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|<\{%[^%]*%\}>")
"""Colour codes: a terminal's, and those the engine writes before it knows whether there is a terminal."""

_FAILED = {f"{each} failed" for each in ("destroy", "preview", "refresh", "update")}
"""The engine's last message, whatever the reason of the failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The result of an engine's command."""

    why: str
    """The errors in its diagnostics, each with its resource's name; empty when it succeeded."""
    out: str
    """Its standard output; empty when it was shown to the user."""


def run(command: Sequence[str], *, folder: Path, environment: Mapping[str, str], shown: bool = True) -> Ended:
    """Run a command that takes `--event-log`, such as `up` or `preview`, in the project's folder.

    With `shown` its output goes to the user's terminal. On Ctrl-C the engine stops in order and keeps the state. Raises
    OSError when the command cannot be started.
    """
    # The folder is private: the events include debug lines, in which secrets are not masked.
    with tempfile.TemporaryDirectory(prefix="engine-") as private, Path(private, "out").open("w+") as out:
        events = Path(private, "events")
        process = subprocess.Popen(
            [*command, f"--event-log={events}"],
            cwd=folder,
            env={**environment, "PULUMI_DEBUG_COMMANDS": "1"},  # enables --event-log
            stdout=None if shown else out,
            stderr=subprocess.PIPE,
        )
        # The terminal sends Ctrl-C to the engine as well.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            said = _copied(process, shown=shown)
        except SystemExit:  # a signal, as when a workflow is cancelled
            process.send_signal(signal.SIGINT)
            raise
        finally:
            code = process.wait()
            signal.signal(signal.SIGINT, before)
        out.seek(0)
        why = (
            ""
            if code == 0
            else "\n".join(_errors(events)) or _plain(said) or f"It ended with exit code {code} and no output."
        )
        return Ended(why=why, out=out.read())


def repaired(backend: str) -> list[Path]:
    """Delete what an engine killed while it wrote the state left in a backend of files, and return it.

    Beside each file the engine writes a second one, `….attrs`. If that is empty, it cannot read the first ("failed to
    load checkpoint: EOF"); without it, it can. `backend` is the URL; one that is not of files is left alone.
    """
    if not backend.startswith("file://"):
        return []
    folder = Path(backend.removeprefix("file://").partition("?")[0]).expanduser() / ".pulumi"
    empty = [each for each in folder.rglob("*.attrs") if each.stat().st_size == 0]
    for each in empty:
        each.unlink()
    return empty


def _copied(process: "subprocess.Popen[bytes]", *, shown: bool) -> str:
    """Return its standard error; with `shown`, also copy it at once, without waiting for the end of a line."""
    said = b""
    assert process.stderr is not None  # noqa: S101  it is a pipe
    with process.stderr as stream:
        while part := os.read(stream.fileno(), 4096):
            said += part
            if shown:
                sys.stderr.buffer.write(part)
                sys.stderr.flush()
    return said.decode(errors="replace")


def _errors(events: Path) -> Iterator[str]:
    """Yield the errors of resources and of the program; none when the engine ended before the first event."""
    lines = events.read_text(errors="replace").splitlines() if events.exists() else []
    for event in map(json.loads, lines):
        found = event.get("diagnosticEvent", {})
        if found.get("severity") == "error":
            named = f"{found['urn'].rpartition('::')[2]}: " if "urn" in found else ""  # the program has no URN
            said = _plain(found["message"])
            if said not in _FAILED:
                yield named + said


def _plain(said: str) -> str:
    return _COLOUR.sub("", said).strip().removeprefix("error: ")
