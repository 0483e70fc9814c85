"""The one error that the command line prints as a paragraph instead of a traceback."""

from pathlib import Path


class SandboxError(Exception):
    """Something the user can act on: what failed, why, and what to do; with the end of a log where there is one."""

    def __init__(self, what: str, *, why: str, do: str, log: Path | None = None) -> None:
        """`what`, `why` and `do` are sentences; the last lines of `log` follow them when it exists."""
        self.log = log
        text = f"{what}\n{why}\n{do}"
        if log is not None and log.exists():
            text += f"\n\nThe end of {log}:\n{tail(log)}"
        super().__init__(text)


def tail(path: Path, lines: int = 15) -> str:
    """The last `lines` lines of a text file, indented; undecodable bytes replaced."""
    content = path.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in content)
