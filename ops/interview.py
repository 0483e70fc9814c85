"""The settings of a new stack: the program says what it misses, and is told, until it takes them.

Which settings there are, what each must look like and which others it makes necessary is known to `infra.settings`
alone. Here is only what is worth asking first, and what to propose.
"""

import contextlib
import copy
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from infra.settings.stack import Settings
from ops import engine, settings, values
from ops.errors import OpsError

Config = dict[str, Any]
"""Settings as the stack's file has them."""
Ask = Callable[[str, str, str], str]
"""From a setting's path, what is expected there and a proposal, which may be empty, to the answer.

Raises OpsError when nobody can be asked.
"""
AskSecret = Callable[[str], str]
"""From the path of a secret setting to its value."""

FIRST = ("domain", "host", "aws.region", "image.platform", "cluster.driver")
"""What is asked in any case, and before the rest, which depends on it."""

_NO_SOURCE = ("found neither", "found none, expected one of")
"""How the program begins when a secret is missing that may as well be in a file, whose key ends in File."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Settings that the program takes."""

    config: Config
    """Without the secrets."""
    secrets: Mapping[str, str]
    """By their paths."""
    read: Settings
    """As the program reads them."""


def settle(given: Mapping[str, str], *, name: str, ask: Ask, secret: AskSecret) -> Settled:
    """Start from the given settings, by their paths, and ask for the others that the stack of this name needs.

    Raises OpsError for a given one that the program does not take, or for one that nobody can be asked for.
    """
    draft: Config = {}
    for key, text in given.items():
        draft = _with(draft, key, text)
    secrets: dict[str, str] = {}
    while (needed := _needed(draft, secrets, name)) is not None:
        key, what = needed
        expected = what.partition("expected ")[2] or what
        if what == "found nothing, expected an object":
            draft = _with(draft, key, {})
        elif what.startswith("found nothing") and expected.endswith("objects"):
            draft = _with(draft, key, [{}])
        elif what.startswith(_NO_SOURCE) and key == "registry.password":
            secrets[key] = secret(key)
            draft = _with(draft, key, secrets[key])
        elif (fitting := _fitting(draft, key, secrets, name)) is not None:
            draft = fitting
        elif key in given or what.startswith("found an unknown key"):
            raise OpsError(f"--set {key}={given.get(key, '')}: {what}.")
        else:
            if what.startswith(_NO_SOURCE):
                key = f"{key}File"
            draft = _with(draft, key, ask(key, expected, _proposal(draft, key, secrets, name)))
    read = _read(draft, secrets, name)
    for key in secrets:
        del _place(draft, key)[0][values.steps(key)[-1]]
    return Settled(config=draft, secrets=secrets, read=read)


def _needed(draft: Config, secrets: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """What the program misses or refuses next, and why; None when it takes it all."""
    problems = _problems(draft, secrets, name)
    if unknown := [(key, what) for key, what in problems.items() if what.startswith("found an unknown key")]:
        return unknown[0]
    for key in FIRST:
        if key in problems or _found(draft, key) is None:
            return key, problems.get(key) or _problems(_with(draft, key, ""), secrets, name).get(key, "")
    return next(iter(problems.items()), None)


def _problems(draft: Config, secrets: Mapping[str, str], name: str) -> Mapping[str, str]:
    try:
        _read(draft, secrets, name)
    except settings.RefusedError as error:
        return error.problems
    return {}


def _read(draft: Config, secrets: Mapping[str, str], name: str) -> Settings:
    prefix = engine.project_name()
    given = {f"{prefix}:{key}": each if isinstance(each, str) else json.dumps(each) for key, each in draft.items()}
    encrypted = {f"{prefix}:{values.steps(key)[0]}" for key in secrets}
    return settings.checked(given, encrypted=encrypted, stack=name).settings


def _fitting(draft: Config, key: str, secrets: Mapping[str, str], name: str) -> Config | None:
    """The same settings, the text at the path read as what the program expects there; None when nothing fits."""
    text = _found(draft, key)
    tries = (_with(draft, key, each) for each in _readings(text)) if isinstance(text, str) else ()
    return next((each for each in tries if not _refused(key, _problems(each, secrets, name))), None)


def _readings(text: str) -> Iterator[object]:
    """What a text may mean: itself, a number and the like, or a list."""
    yield text
    with contextlib.suppress(yaml.YAMLError):
        yield yaml.safe_load(text)
    yield [each.strip() for each in text.split(",")]


def _refused(key: str, problems: Mapping[str, str]) -> bool:
    return any(re.match(rf"{re.escape(key)}($|[.\[])", each) for each in problems)


def _proposal(draft: Config, key: str, secrets: Mapping[str, str], name: str) -> str:
    """The first proposal for a setting that the program takes; empty for none."""
    region = str(_found(draft, "aws.region") or "")
    domain = str(_found(draft, "domain") or "")
    proposals = {
        "host": (f"ejemplo-django.{domain}",),
        "aws.region": (os.environ.get("AWS_REGION", ""), "us-east-1"),
        "image.platform": ("linux/amd64",),
        "cluster.driver": ("existing",),
        "cluster.name": (f"{region.replace('-', '')}.{domain}",),
        "cluster.kubeconfigFile": ("~/.kube/config",),
        "cluster.kubernetesVersion": ("1.35.7", "1.34"),
        "cluster.zones": (f"{region}a", f"{region}a, {region}b"),
        "cluster.nodes[0].name": ("nodes",),
        "cluster.nodes[0].machineType": ("t3.medium", "t4g.medium"),
        "cluster.nodes[0].min": ("2",),
        "cluster.nodes[0].max": ("4",),
    }
    for each in proposals.get(key, ()):
        if each and _fitting(_with(draft, key, each), key, secrets, name) is not None:
            return each
    return ""


def _found(draft: Config, key: str) -> object:
    try:
        return values.find(draft, key)
    except KeyError:
        return None


def _with(draft: Config, key: str, value: object) -> Config:
    """A copy of the settings with a value at a path; what is missing on the way is made."""
    draft = copy.deepcopy(draft)
    place, last = _place(draft, key)
    if isinstance(last, int) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return draft


def _place(draft: Config, key: str) -> tuple[Any, str | int]:
    """The object or list that a path ends in, and the last step into it. Raises OpsError for no such path."""
    *parents, last = steps = values.steps(key)
    place: Any = draft
    try:
        for step, following in zip(parents, steps[1:], strict=True):
            empty: object = [] if isinstance(following, int) else {}
            if isinstance(step, int) and step == len(place):
                place.append(empty)
            elif isinstance(place, dict):
                place.setdefault(step, empty)
            place = place[step]
    except (IndexError, KeyError, TypeError) as error:
        raise OpsError(f"--set {key}: there is no such place; expected a path such as cluster.nodes[0].min.") from error
    return place, last
