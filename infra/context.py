"""Finds the files of a build context that would end up in the image, for those that must stay private."""

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from infra import dockerfile

_SECRET = (
    *(".env", ".env.*", "*.env", ".sandbox", "Pulumi.*.yaml", "kubeconfig", "kubeconfig.*", ".kube", ".aws", ".ssh"),
    *("*.pem", "*.key", "*.p12", "id_rsa", "id_ecdsa", "id_ed25519", ".netrc", ".pgpass", ".git-credentials"),
)
"""Names of files and folders that usually hold secrets."""
_EXAMPLES = (".env.example", ".env.sample", ".env.template", "*.example")
"""Names among them that are meant to be read."""


def takes(context: str, file: str, path: str) -> bool:
    """Return whether the file at `path` is in the context and would end up in the image of the Dockerfile `file`."""
    try:
        real = Path(path).expanduser().resolve()
        within = real.relative_to(Path(context).resolve())
        copied = any(_covers(each, within) for each in _copied(file))
        return copied and real.is_file() and not _ignored(context, file, within)
    except (OSError, RuntimeError, ValueError):  # elsewhere; or invalid, which its own key reports
        return False


def suspects(context: str, file: str) -> list[str]:
    """List what would end up in the image of the Dockerfile `file` and is named like a secret, a folder once."""
    copied = _copied(file)
    found = (_named(each) for each in _files(context, file) if any(_covers(source, each) for source in copied))
    return sorted({each for each in found if each})


def _named(path: PurePath) -> str:
    """Return the path up to the first name that looks secret; empty if none does."""
    for at, part in enumerate(path.parts, 1):
        if _any(part, _SECRET) and not _any(part, _EXAMPLES):
            return "/".join(path.parts[:at])
    return ""


def _any(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, each) for each in patterns)


def _copied(file: str) -> list[str]:
    return dockerfile.copied(Path(file).read_text(encoding="utf-8", errors="replace"))


def _covers(source: str, path: PurePath) -> bool:
    """Return whether a COPY's source is the path, or a folder around it. A variable matches anything."""
    if "$" in source:
        return True
    parts = PurePath(os.path.normpath(source.lstrip("/"))).parts
    return len(parts) <= len(path.parts) and all(map(fnmatchcase, path.parts, parts))


def _ignored(context: str, file: str, path: PurePath) -> bool:
    # Imported only when needed: it is slow to load.
    from docker.utils.build import PatternMatcher

    return bool(PatternMatcher(_patterns(context, file)).matches(str(path)))  # type: ignore[arg-type]  # its stub errs


def _files(context: str, file: str) -> Iterator[PurePath]:
    from docker.utils.build import exclude_paths

    own = os.path.relpath(file, context)
    paths = (PurePath(each) for each in exclude_paths(context, _patterns(context, file), own))
    return (each for each in paths if not Path(context, each).is_dir())


def _patterns(context: str, file: str) -> list[str]:
    """Read what the builder ignores; `<Dockerfile>.dockerignore` comes before the context's own file."""
    for each in (Path(f"{file}.dockerignore"), Path(context, ".dockerignore")):
        if each.is_file():
            lines = (line.strip() for line in each.read_text(encoding="utf-8", errors="replace").splitlines())
            return [line for line in lines if line and not line.startswith("#")]
    return []
