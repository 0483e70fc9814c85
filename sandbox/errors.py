"""The error that the command line prints without a traceback."""

from pathlib import Path


class SandboxError(Exception):
    """An error the user can act on: what failed, why, what to do, and the end of a log if there is one."""

    def __init__(self, what: str, *, why: str, do: str, log: Path | None = None) -> None:
        """Take `what` failed, `why` and what to `do`, in sentences. The last lines of `log` follow if it exists."""
        self.log = log
        text = f"{what}\n{why}\n{do}"
        if log is not None and log.exists():
            text += f"\n\nThe end of {log}:\n{tail(log)}"
        super().__init__(text)


def tail(path: Path, lines: int = 15) -> str:
    """Return the last `lines` lines of a text file, indented, with undecodable bytes replaced."""
    content = path.read_text(errors="replace").splitlines()[-lines:]
    return "\n".join(f"  {line}" for line in content)
