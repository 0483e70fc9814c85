"""The build context: its digest, and the Dockerfile to build."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*\S")
"""Matches a parser directive; directives come first in a Dockerfile."""
_NEWER = re.compile(r"""(?<!\S)(\d*<<-?["']?\w|--link(?=[\s=]|$))""")
"""Matches a heredoc or the flag `--link`: Docker 20.10's own frontend has neither."""


class DockerfileError(Exception):
    """The Dockerfile cannot be built here; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """A directory and a Dockerfile, which may be outside of it; both are relative to the program's directory."""

    root: Path
    dockerfile: Path

    def digest(self) -> str:
        """Return a digest of the names, modes and contents of the context's files.

        A link counts with its target. Directories, owners and times do not count. Raises OSError when a file cannot be
        read.
        """
        total = hashlib.sha256()
        total.update(hashlib.sha256(self.dockerfile.read_bytes()).digest())
        inside = os.path.relpath(self.dockerfile, self.root)
        for name in sorted(exclude_paths(str(self.root), self._ignored(), inside)):
            path = self.root / name
            if path.is_symlink():
                content = hashlib.sha256(os.readlink(path).encode())
            elif path.is_file():
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256")
            else:
                continue
            total.update(f"{name}\0{path.lstat().st_mode:o}\0".encode() + content.digest())
        return total.hexdigest()

    def refuse_newer_syntax(self) -> None:
        """Raise DockerfileError for the first line that needs a newer frontend than Docker 20.10's."""
        instruction = ""
        for number, line in enumerate(self._text().splitlines(), start=1):
            if line.lstrip().startswith("#"):
                continue
            instruction = instruction or (line.split() or [""])[0].upper()
            if instruction in ("RUN", "COPY", "ADD") and (found := _NEWER.search(line)):
                raise DockerfileError(f"line {number}: {found[0]!r} needs a newer builder than Docker 20.10's: {line}")
            if not line.rstrip().endswith("\\"):
                instruction = ""

    def write_dockerfile(self, folder: Path) -> str:
        """Write the Dockerfile without its `# syntax=` line, and its own ignore file, into a folder.

        That frontend would be pulled from a registry. Return the line that was removed, or "".
        """
        lines, syntax = self._text().splitlines(keepends=True), ""
        for at, line in enumerate(lines):
            directive = _DIRECTIVE.match(line)
            if not directive:
                break
            if directive[1].lower() == "syntax":
                syntax = lines.pop(at).strip()
                break
        (folder / "Dockerfile").write_text("".join(lines), errors="surrogateescape")
        if self._own_ignore_file.is_file():
            (folder / "Dockerfile.dockerignore").write_bytes(self._own_ignore_file.read_bytes())
        return syntax

    @property
    def _own_ignore_file(self) -> Path:
        return self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")

    def _text(self) -> str:
        return self.dockerfile.read_text(errors="surrogateescape")

    def _ignored(self) -> list[str]:
        """Return the ignore patterns: the Dockerfile's own file takes precedence over the context's."""
        for file in (self._own_ignore_file, self.root / ".dockerignore"):
            if file.is_file():
                lines = (line.strip() for line in file.read_text().splitlines())
                return [line for line in lines if line and not line.startswith("#")]
        return []
