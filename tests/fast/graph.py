"""The recorder, and what the tests of the program do with it."""

import copy
from collections.abc import Mapping
from typing import Any

from infra.settings import schema
from infra.settings.problems import Problem, RefusedError
from infra.settings.stack import read
from tests.example import (
    CERTIFICATE,
    DIGEST,
    ECR,
    ECR_PASSWORD,
    ELB,
    KUBECONFIG,
    MADE_KEY,
    NAME_SERVERS,
    PASSWORD,
    Inputs,
    settings,
)
from tests.recorder import PROJECT, ROOT, UNKNOWN, Declared, Graph, Secret, declare, plain, run, texts

__all__ = [
    "ABSENT",
    "CERTIFICATE",
    "DIGEST",
    "ECR",
    "ECR_PASSWORD",
    "ELB",
    "KUBECONFIG",
    "MADE_KEY",
    "NAME_SERVERS",
    "PASSWORD",
    "PROJECT",
    "ROOT",
    "UNKNOWN",
    "Declared",
    "Graph",
    "Inputs",
    "Secret",
    "changed",
    "declare",
    "plain",
    "refused",
    "run",
    "settings",
    "texts",
]


ABSENT = object()
"""As the value of a change: take the key away."""


def refused(config: Inputs, *secure: str, stack: str = f"{PROJECT}/test") -> tuple[Problem, ...]:
    """What is wrong with a configuration, of which the values at these paths are encrypted."""
    try:
        read(config, encrypted=lambda place: schema.path(place) in secure, stack=stack)
    except RefusedError as error:
        return error.problems
    return ()


def changed(config: Inputs, changes: Mapping[str, Any]) -> Inputs:
    """A copy of the configuration with other values; the changes are by path, such as `app.port`."""
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
