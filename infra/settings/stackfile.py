"""The stack's file, as far as it says what is encrypted.

The engine tells a program only which of its keys hold a secret at all, not where in an object.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.settings.section import Place


def configuration(file: Path, *, project: str) -> Mapping[str, Any]:
    """Give the values in a stack's file by the project's own keys; none where there is no such file."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        config = document["config"]
        return {key.removeprefix(f"{project}:"): value for key, value in config.items()}
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        # The engine has read the file, wherever it is, and has said what is wrong with it.
        return {}


def encrypted(config: Mapping[str, Any], place: Place) -> bool | None:
    """Say whether `secure:` stands at a place or around it; None for a value that is not in the file.

    It may come from elsewhere, such as an environment of Pulumi ESC.
    """
    value: Any = config
    for step in place:
        if _is_secure(value):
            return True
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return _is_secure(value)


def _is_secure(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"} and isinstance(value["secure"], str)
