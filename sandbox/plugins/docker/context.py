"""The build context: what of a directory the builder gets to see, and a digest of it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from docker.api.build import process_dockerfile
from docker.utils.build import exclude_paths, tar


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
        for name in sorted(exclude_paths(str(self.root), self._ignored(), self._inside())):
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

    def archive(self) -> tuple[IO[bytes], str]:
        """Pack the context as the daemon wants it; give the open file and the Dockerfile's name in it."""
        root = self.root.absolute()
        name, content = process_dockerfile(str(self.dockerfile.absolute()), str(root))
        file: Any = tar(root, exclude=self._ignored(), dockerfile=(name, content))
        return file, str(name)

    def _inside(self) -> str:
        return os.path.relpath(self.dockerfile, self.root)

    def _ignored(self) -> list[str]:
        """Read the patterns; a file named after the Dockerfile comes before the context's own."""
        named = self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")
        for file in (named, self.root / ".dockerignore"):
            if file.is_file():
                lines = (line.strip() for line in file.read_text().splitlines())
                return [line for line in lines if line and not line.startswith("#")]
        return []
