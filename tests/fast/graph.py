"""Helpers for configurations, for the tests of the settings and of the graph."""

import copy
from collections.abc import Mapping
from typing import Any

from infra.settings import schema
from infra.settings.problems import Problem, RefusedError
from infra.settings.stack import read
from tests.example import Inputs
from tests.recorder import PROJECT

ABSENT = object()
"""As the value of a change: remove the key."""


def refused(config: Inputs, *secure: str, stack: str = f"{PROJECT}/test") -> tuple[Problem, ...]:
    """Return what is wrong with a configuration; the values at the paths in `secure` are encrypted."""
    try:
        read(config, encrypted=lambda place: schema.path(place) in secure, stack=stack)
    except RefusedError as error:
        return error.problems
    return ()


def changed(config: Inputs, changes: Mapping[str, Any]) -> Inputs:
    """Return a copy of the configuration with changes by path, such as `app.port`."""
    config = copy.deepcopy(config)
    for path, value in changes.items():
        *parents, key = path.split(".", maxsplit=1) if "." in path else [path]
        place = config
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is ABSENT:
            del place[key]
        else:
            place[key] = value
    return config
