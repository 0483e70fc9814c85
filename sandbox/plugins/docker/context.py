"""The build context: a digest of what the builder gets to see, and the Dockerfile that it is given."""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from docker.utils.build import exclude_paths

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*\S")
"""A parser directive; they stand above everything else in a Dockerfile."""
_NEWER = re.compile(r"""(?<!\S)(\d*<<-?["']?\w|--link(?=[\s=]|$))""")
"""A heredoc or the flag `--link`: the frontend inside Docker 20.10 has neither."""


class DockerfileError(Exception):
    """The Dockerfile cannot be built here; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """A directory and a Dockerfile, which may lie outside of it; both relative to the program's directory."""

    root: Path
    dockerfile: Path

    def digest(self) -> str:
        """Give a digest that changes with the name, the mode or the contents of any file of the context.

        Directories, owners and times do not count; of a link, where it points to does.
        Raises OSError when a file cannot be read.
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
        """Write the Dockerfile to be built into a folder, beside the ignore file that is named after it.

        It has no `# syntax=`: that frontend would be fetched from a hub. Give the line that was left out, or "".
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
        """Read the patterns; a file named after the Dockerfile comes before the context's own."""
        for file in (self._own_ignore_file, self.root / ".dockerignore"):
            if file.is_file():
                lines = (line.strip() for line in file.read_text().splitlines())
                return [line for line in lines if line and not line.startswith("#")]
        return []
