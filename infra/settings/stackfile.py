"""Reads from the stack's file which values are encrypted.

The engine tells a program which keys contain a secret, but not where inside an object.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.settings.section import Place


def configuration(file: Path, *, project: str) -> Mapping[str, Any]:
    """Return the values in a stack's file by the project's own keys; empty if the file cannot be read."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        config = document["config"]
        return {key.removeprefix(f"{project}:"): value for key, value in config.items()}
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        # The engine has read the file, wherever it is, and has reported what is wrong with it.
        return {}


def encrypted(config: Mapping[str, Any], place: Place) -> bool | None:
    """Return whether a place is at or inside a `secure:` entry; None if the file does not have the value.

    The value may come from elsewhere, such as a Pulumi ESC environment.
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
