"""The settings of the current stack, read: nothing else in the program reads `pulumi.Config`."""

from collections.abc import Sequence
from pathlib import Path

import pulumi
from pulumi.runtime import is_config_secret
from pulumi.runtime.config import CONFIG

from infra.settings import keys, stack, stackfile
from infra.settings.problems import Problem, RefusedError
from infra.settings.section import Place
from infra.settings.stack import Settings


class ConfigError(pulumi.RunError):
    """The configuration is refused. A RunError, so that its message is all that `pulumi up` shows."""

    def __init__(self, problems: Sequence[Problem], *, name: str) -> None:
        """Take everything that is wrong with the configuration of the stack of that name."""
        listed = "".join(f"\n  - {each}" for each in problems)
        super().__init__(
            f"The configuration of stack {name!r} is refused; nothing was created or changed.{listed}\n"
            f"Correct it in Pulumi.{name}.yaml. docs/configuration.md describes every key."
        )
        self.problems = tuple(problems)


def load() -> Settings:
    """Read and check the configuration of the current stack. Raises ConfigError with everything that is wrong."""
    project, name = pulumi.get_project(), pulumi.get_stack()
    # The program runs in the project's folder. A file that `--config-file` names is not found, and then the engine's
    # word for the whole object has to do.
    file = stackfile.configuration(Path(f"Pulumi.{name}.yaml"), project=project)

    def encrypted(place: Place) -> bool:
        in_file = stackfile.encrypted(file, place)
        return is_config_secret(f"{project}:{place[0]}") if in_file is None else in_file

    # pulumi.Config reads a key by its name and cannot list them, so a misspelt key would go unnoticed. The SDK's own
    # map is what it reads from; both ways to run a program (language host, Automation API) fill it.
    found = keys.sort_out(CONFIG.get(), stack.described(), project=project)
    problems: list[Problem] = found.problems
    try:
        settings = stack.read(found.values, encrypted=encrypted, stack=f"{project}/{name}")
    except RefusedError as error:
        problems += [each for each in error.problems if each.key not in found.explained]
    if problems:
        raise ConfigError(problems, name=name) from None
    return settings
