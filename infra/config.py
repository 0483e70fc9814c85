"""Reads the settings of the current stack. Nothing else in the program reads `pulumi.Config`."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pulumi
from pulumi.runtime import is_config_secret
from pulumi.runtime.config import CONFIG

from infra.settings import keys, stack, stackfile
from infra.settings.problems import Problem, RefusedError
from infra.settings.section import Place
from infra.settings.stack import Settings


class ConfigError(pulumi.RunError):
    """The configuration is refused. A RunError, so that `pulumi up` shows only its message."""

    def __init__(self, problems: Sequence[Problem], *, name: str) -> None:
        """Take all problems in the configuration of the stack `name`."""
        listed = "".join(f"\n  - {each}" for each in problems)
        super().__init__(
            f"The configuration of stack {name!r} is refused; nothing was created or changed.{listed}\n"
            f"Correct it in Pulumi.{name}.yaml. docs/configuration.md describes every key."
        )
        self.problems = tuple(problems)


def load() -> Settings:
    """Return the checked settings of the current stack. Raise ConfigError with all problems."""
    project, name = pulumi.get_project(), pulumi.get_stack()
    # The program runs in the project's folder. It does not find a file given by `--config-file`; then only the engine
    # tells, for a whole object, whether it contains a secret.
    file = stackfile.configuration(Path(f"Pulumi.{name}.yaml"), project=project)

    def encrypted(place: Place) -> bool:
        in_file = stackfile.encrypted(file, place)
        return is_config_secret(f"{project}:{place[0]}") if in_file is None else in_file

    # pulumi.Config cannot list its keys, so a misspelt one would go unnoticed. It reads from this map of the SDK, which
    # both ways to run a program (language host, Automation API) fill.
    found = keys.sort_out(CONFIG.get(), stack.described(), project=project)
    problems: list[Problem] = found.problems
    try:
        settings = stack.read(found.values, encrypted=encrypted, stack=f"{project}/{name}")
    except RefusedError as error:
        problems += [each for each in error.problems if not _is_within(each.key, found.explained)]
    if problems:
        raise ConfigError(problems, name=name) from None
    return settings


def _is_within(key: str, others: Collection[str]) -> bool:
    return any(f"{key}.".startswith(f"{each}.") for each in others)
