"""Images: built from a directory, pushed to a registry, known by digest."""

import platform
from pathlib import Path
from typing import Any, ClassVar

from sandbox.plugins.docker.context import Context
from sandbox.plugins.docker.daemon import build, daemon, push
from sandbox.plugins.resource import Call, InvalidInputError, PluginError, ResourceType
from sandbox.plugins.values import UNKNOWN, Properties, adjusted, is_known

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Docker's names for what Python calls the machine."""


class Image(ResourceType):
    """An image that is built and, unless skipPush, pushed; its id is its name.

    As with the official provider, a change of anything but the registry's user or password builds again under
    the same id, refresh looks at nothing, and deleting leaves what was pushed.
    """

    token = "docker:index/image:Image"
    inputs: ClassVar = {
        "imageName": str,
        "build": {
            "context": str,
            "dockerfile": str,
            "args": dict,
            "platform": str,
            "target": str,
            "network": str,
        },
        "registry": {"server": str, "username": str, "password": str},
        "skipPush": bool,
        "buildOnPreview": bool,
    }
    required = frozenset({"imageName"})
    secrets = frozenset({"registry.password"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the defaults and the digest of the context, by which a changed file is a change."""
        if inputs.get("buildOnPreview"):
            raise InvalidInputError("buildOnPreview", "this stand-in never builds in a preview, leave it false")
        if not inputs.get("skipPush") and is_known(inputs["imageName"]):
            _refuse_unqualified(inputs["imageName"])
        given = {name: value for name, value in (inputs.get("build") or {}).items() if value is not None}
        options = {"context": ".", "platform": _own_platform()} | given
        if is_known(options["context"]):
            options = {"dockerfile": str(Path(options["context"], "Dockerfile"))} | options
        if is_known((options["context"], options.get("dockerfile", UNKNOWN))):
            options["contextDigest"] = _digest(options)
        return {"buildOnPreview": False} | inputs | {"build": options}

    def comparable(self, inputs: Properties) -> Properties:
        """Leave out the registry's login: an image is no other for having been pushed by someone else."""
        return adjusted(inputs, registry=lambda registry: {"server": registry.get("server")})

    def preview(self, inputs: Properties, *, state: Properties | None) -> Properties:
        """Foretell all but the digest."""
        return _outputs(inputs) | {"repoDigest": UNKNOWN}

    def live_inputs(self, outputs: Properties, *, old: Properties) -> Properties:
        """Leave the inputs as they were."""
        return old

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Build and push."""
        return inputs["imageName"], self._make(inputs, call)

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Give the state back."""
        if not state:
            raise PluginError(f"{self.token} {id}: an image cannot be imported; declare it, and it is built")
        return state

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Build and push again."""
        return self._make(inputs, call)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Forget the image: what was pushed stays in the registry."""

    def _make(self, inputs: Properties, call: Call) -> Properties:
        image, options = inputs["imageName"], inputs["build"]
        context = Context(root=Path(options["context"]), dockerfile=Path(options["dockerfile"]))
        wanted: dict[str, Any] = {
            "buildargs": options.get("args"),
            "platform": options["platform"],
            "target": options.get("target"),
            "network_mode": options.get("network"),
        }
        registry = inputs.get("registry") or {}
        login = {name: registry[name] for name in ("username", "password") if registry.get(name)}
        with daemon() as client:
            built = build(client, context, image=image, options=wanted, call=call)
            if inputs.get("skipPush"):
                return _outputs(inputs) | {"repoDigest": built}
            digest = push(client, image, login=login if len(login) == 2 else None, call=call)
            return _outputs(inputs) | {"repoDigest": digest}


def _outputs(inputs: Properties) -> Properties:
    options = inputs["build"]
    return {
        "imageName": inputs["imageName"],
        "baseImageName": inputs["imageName"],
        "registryServer": (inputs.get("registry") or {}).get("server", ""),
        "context": options["context"],
        "dockerfile": options.get("dockerfile", UNKNOWN),
        "platform": options["platform"],
    }


def _digest(options: Properties) -> str:
    root, dockerfile = Path(options["context"]), Path(options["dockerfile"])
    if not root.is_dir():
        raise InvalidInputError("build.context", f"there is no directory {root} in {Path.cwd()}")
    if not dockerfile.is_file():
        inside = root / dockerfile
        hint = f"did you mean {str(inside)!r}?" if inside.is_file() else f"it is sought from {Path.cwd()}"
        raise InvalidInputError("build.dockerfile", f"there is no file {str(dockerfile)!r}; {hint}")
    try:
        return Context(root=root, dockerfile=dockerfile).digest()
    except OSError as error:
        raise InvalidInputError("build.context", f"a file of it cannot be read: {error}") from error


def _refuse_unqualified(image: str) -> None:
    """Refuse a name that does not say in which registry it is, as the official provider does for a push."""
    host, slash, _ = image.partition("/")
    if not slash or not (host == "localhost" or "." in host or ":" in host):
        reason = f"{image!r} names no registry: begin with its host, such as docker.io/, or set skipPush"
        raise InvalidInputError("imageName", reason)


def _own_platform() -> str:
    machine = platform.machine()
    return f"linux/{ARCHITECTURES.get(machine, machine)}"
