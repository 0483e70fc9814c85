"""An image's properties: validation, defaults, differences and outputs."""

import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import provider_pb2
from pulumi.runtime.rpc import UNKNOWN

from sandbox.plugins.docker.context import Context, DockerfileError

# contextDigest is computed here; it is among the inputs when the program ignores changes of `build`.
_BUILD = ("context", "dockerfile", "platform", "target", "network", "contextDigest")
_REGISTRY = ("server", "username", "password")
_STRINGS = ("imageName", *(f"build.{name}" for name in _BUILD), *(f"registry.{name}" for name in _REGISTRY))
_TYPES: Mapping[str, type] = dict.fromkeys(_STRINGS, str) | {"skipPush": bool, "buildOnPreview": bool}
"""The type of each property, by its path. `build.args` has strings too."""

_ARGUMENT = re.compile(r"build\.args\.(?!DOCKER_|LD_)[A-Za-z_][A-Za-z0-9_]*")
"""A build argument. It becomes a variable of the client's, so its name must not change what the client does."""

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Docker's name for each of Python's machine names."""


class InputError(Exception):
    """Inputs are wrong. Each line of the message names one, in Pulumi's spelling, and the reason."""


def checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs with their defaults and the context's digest, which shows a changed file as a change.

    Raises InputError.
    """
    if faults := list(_faults(given)):
        raise InputError("\n".join(faults))
    registry, build = _object(given.get("registry"), _REGISTRY), _object(given.get("build"), _BUILD)
    machine = platform.machine()
    build = {"context": ".", "platform": f"linux/{_ARCHITECTURES.get(machine, machine)}"} | build
    inside = UNKNOWN if build["context"] == UNKNOWN else str(Path(build["context"], "Dockerfile"))
    build = {"dockerfile": inside} | build
    known = UNKNOWN not in (build["context"], build["dockerfile"])
    build["contextDigest"] = _digest(build) if known else UNKNOWN
    return {"buildOnPreview": False} | given | {"build": build, "registry": registry}


def outputs(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs that follow from checked inputs: all but `repoDigest`."""
    names = dict.fromkeys(("imageName", "baseImageName"), inputs["imageName"])
    described = {name: inputs["build"][name] for name in ("context", "dockerfile", "platform")}
    return names | described | {"registryServer": inputs["registry"].get("server", "")}


def differences(old: dict[str, Any], new: dict[str, Any], *, ignored: Iterable[str]) -> dict[str, Any]:
    """Return the kind of change, a `PropertyDiff.Kind`, of each input that differs, by its path.

    The registry's login does not count, since it does not change the image. Nor do the paths `ignored` and those below.
    """
    kinds, one, other = provider_pb2.PropertyDiff, dict(_leaves(old)), dict(_leaves(new))
    left_out = ("registry.username", "registry.password", *ignored)
    return {
        path: kinds.ADD if path not in one else kinds.DELETE if path not in other else kinds.UPDATE
        for path in one | other
        if one.get(path) != other.get(path) and not any(f"{path}.".startswith(f"{each}.") for each in left_out)
    }


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of each property that is not an object; None counts as absent."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, f"{path}.{name}" if path else name)
    elif value is not None:
        yield path, value


def _object(value: Any, names: Iterable[str]) -> dict[str, Any]:
    """Return an object's properties; when the whole object is unknown, each of `names` is."""
    if value == UNKNOWN:
        return dict.fromkeys(names, UNKNOWN)
    return {name: each for name, each in (value or {}).items() if each is not None}


def _faults(given: dict[str, Any]) -> Iterator[str]:
    for path, value in _leaves(given):
        known = _TYPES.get(path, str if _ARGUMENT.fullmatch(path) else None)
        if value == UNKNOWN and (known or path in ("build", "build.args", "registry")):
            continue
        if not known:
            yield f"{path}: this stand-in implements only {', '.join(_TYPES)} and build.args, use the official plugin"
        elif not isinstance(value, known):
            yield f"{path}: expected {known.__name__}, found {type(value).__name__}"
    image = given.get("imageName")
    host, slash, _ = str(image).partition("/")
    if image is None:
        yield "imageName: must be given"
    # The official provider requires this for a push too.
    elif not (given.get("skipPush") or image == UNKNOWN or (slash and (host == "localhost" or set(host) & set(".:")))):
        yield f"imageName: {image!r} names no registry: begin with its host, such as docker.io/, or set skipPush"
    if given.get("buildOnPreview") is True:
        yield "buildOnPreview: this stand-in never builds in a preview, leave it false"


def _digest(build: dict[str, Any]) -> str:
    root, dockerfile = Path(build["context"]), Path(build["dockerfile"])
    if not root.is_dir():
        raise InputError(f"build.context: there is no directory {root} in {Path.cwd()}")
    if not dockerfile.is_file():
        inside = root / dockerfile
        hint = f"did you mean {str(inside)!r}?" if inside.is_file() else f"paths are relative to {Path.cwd()}"
        raise InputError(f"build.dockerfile: there is no file {str(dockerfile)!r}; {hint}")
    context = Context(root=root, dockerfile=dockerfile)
    try:
        context.refuse_newer_syntax()
        return context.digest()
    except DockerfileError as error:
        raise InputError(f"build.dockerfile: {error}") from error
    except OSError as error:
        raise InputError(f"build.context: a file in it cannot be read: {error}") from error
