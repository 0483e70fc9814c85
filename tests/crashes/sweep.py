"""Interrupt a command at one request, follow the screen's instructions and no others, and check what it cost."""

import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from tests.crashes import audit
from tests.crashes.world import Moment, World
from tests.troubles import provoked

DEPLOY, RELEASE, DESTROY = "first deploy", "release", "destroy"
PHASES = (DEPLOY, RELEASE, DESTROY)
"""In the order in which they build on each other: from nothing, to nothing."""

ENGINE, TREE = "engine", "engine and plugins"
PLUGIN, ANSWER = "plugin", "answer"
CTRL_C, CTRL_C_TWICE, SIGTERM = "Ctrl-C", "Ctrl-C twice", "SIGTERM"

_RECOVER = re.compile(r"\.venv/bin/python -m ops recover --stack [\w-]+")
_STEPS = 6
"""How often `follow` tries the command before it gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A request of a phase's command: the first of that name, the second, ..."""

    phase: str
    request: str
    number: int = 1

    def __str__(self) -> str:
        return self.request + (f" ({self.number})" if self.number > 1 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The outcome of an interruption."""

    point: Point
    way: str
    came: bool
    """Whether the request to interrupt at was made."""
    screen: list[str]
    """What the commands after it said, a few words each."""
    done: list[str]
    """The commands that were run after it."""
    faults: list[str]
    """What it cost."""
    seconds: float


def verb(phase: str) -> str:
    """Return the pulumi command of a phase."""
    return "destroy" if phase == DESTROY else "up"


def recorded(world: World, phase: str) -> list[Point]:
    """Run a phase without an interruption; return its mutating requests."""
    _prepare(world, phase)
    world.moment = moment = Moment()
    world.pulumi(verb(phase), "--yes", "--skip-preview")
    world.deployed = phase != DESTROY
    return [Point(phase=phase, request=name, number=number) for name, number in moment.points()]


def interrupted(world: World, point: Point, way: str) -> Ended:
    """Run a phase with an interruption at this request, and then to its end."""
    began = time.monotonic()
    _prepare(world, point.phase)
    world.moment = moment = Moment(wanted=(point.request, point.number))
    process = world.start("pulumi", verb(point.phase), "--yes", "--skip-preview", "--non-interactive")
    engine = psutil.Process(process.pid)
    family: list[psutil.Process] = []

    def act() -> bool:
        family.extend(engine.children(recursive=True))
        return WAYS[way](world, engine, family, point)

    moment.act = act
    world.end(process)
    world.moment = Moment()
    screen, done = follow(world, verb(point.phase))
    world.deployed = point.phase != DESTROY
    faults = audit.faults(world)
    if not screen[-1].startswith("ok"):
        faults.insert(0, screen[-1])
    for each in family:  # plugins whose engine is dead
        if each.is_running():
            each.kill()
    if faults:
        world.forget()
    return Ended(
        point=point,
        way=way,
        came=moment.came,
        screen=screen,
        done=done,
        faults=faults,
        seconds=time.monotonic() - began,
    )


def follow(world: World, command: str) -> tuple[list[str], list[str]]:
    """Run the command, and what the screen says to run, until the command succeeds; return what was said and done."""
    screen: list[str] = []
    done: list[str] = []
    plain = f"pulumi {command} --yes"
    for _ in range(_STEPS):
        code, said = world.run(*plain.split(), "--non-interactive")
        done.append(plain)
        if code == 0:
            return [*screen, "ok"], done
        if "pulumi cancel" in said and "locked" in said:
            screen, fix = [*screen, "locked"], "pulumi cancel --yes"
        elif found := _RECOVER.search(said):
            if "An earlier run" in said:
                provoked("An earlier run was interrupted while it made …", said)
            else:
                provoked("This stack seems to have created it, but its state does not have it", said)
            screen, fix = [*screen, "recover"], f"{found[0]} --yes"
        else:
            return [*screen, audit.first_error(said)], done
        if fix in done:
            return [*screen, f"{fix} again: {audit.first_error(said)}"], done
        code, said = world.run(*fix.split())
        done.append(fix)
        if code:
            return [*screen, f"{fix}: {audit.first_error(said)}"], done
    return [*screen, "no end"], done


def _prepare(world: World, phase: str) -> None:
    if phase == DEPLOY and world.deployed:
        world.forget()
    elif phase != DEPLOY and not world.deployed:
        recorded(world, DEPLOY)
    if phase != DESTROY:
        world.change()


def _kill_engine(_: World, engine: psutil.Process, family: list[psutil.Process], __: Point) -> bool:
    """Kill the engine alone: its plugins get their answers, but cannot report them."""
    engine.kill()
    return True


def _kill_tree(_: World, engine: psutil.Process, family: list[psutil.Process], __: Point) -> bool:
    for each in (engine, *family):
        each.kill()
    return False


def _lose_answer(*_: Any) -> bool:
    """Kill nothing, but drop the answer: the network is down for a moment."""
    return False


def _kill_plugin(_: World, __: psutil.Process, family: list[psutil.Process], point: Point) -> bool:
    """Kill the plugin that made the request."""
    name = {"kubernetes": "kubernetes", "registry": "docker"}.get(point.request.partition(" ")[0], "aws")
    for each in family:
        if f"pulumi-resource-{name}" in " ".join(each.cmdline()) or (
            name == "docker" and "sandbox.plugins.docker" in each.cmdline()
        ):
            each.kill()
    return False


def _signal(number: signal.Signals, times: int = 1) -> Callable[..., bool]:
    def send(world: World, engine: psutil.Process, *_: Any) -> bool:
        for _time in range(times):
            os.killpg(engine.pid, number)
            # Wait until the engine says that it received one: two that are pending count as one.
            ends = time.monotonic() + 10
            while "received" not in world.screen.read_text() and time.monotonic() < ends:
                time.sleep(0.05)
        return True

    return send


WAYS: dict[str, Callable[..., bool]] = {
    ENGINE: _kill_engine,
    TREE: _kill_tree,
    PLUGIN: _kill_plugin,
    ANSWER: _lose_answer,
    CTRL_C: _signal(signal.SIGINT),
    CTRL_C_TWICE: _signal(signal.SIGINT, times=2),
    SIGTERM: _signal(signal.SIGTERM),
}
