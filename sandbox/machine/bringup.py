"""The start: every step as soon as what it needs is there, each seen to be healthy before the next."""

import os
import threading
import time
from collections.abc import Callable, Mapping

import psutil

from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.machine import namespaces, packages, supervisor
from sandbox.machine.steps import Step, run
from sandbox.progress import Report
from sandbox.services import images, node
from sandbox.services.service import Service

_PATIENCE = 90
"""Seconds for one service to become healthy; the slowest, the API server, takes under 15 on two cores."""

Tools = Mapping[str, Callable[[], object]]
"""What brings the tools of each Go module of the toolchain, by the module's name."""


def tools(module: str) -> str:
    """The name of the step that brings a Go module's tools, for whatever needs it."""
    return f"{module} tools"


def start(layout: Layout, services: list[Service], modules: Tools, report: Report) -> None:
    """Bring the tools, the machine and every service up. What runs and is healthy is left alone.

    Raises SandboxError for the first service that does not become healthy, and whatever else a step raises.
    """
    stopping = threading.Event()

    def stop() -> None:
        stopping.set()
        _end_commands()

    steps = _bringing(layout, modules)
    steps["machine"] = Step(needs=("packages",), run=lambda: _start_machine(layout, services))
    steps["base image archive"] = Step(needs=("packages",), run=lambda: images.base_archive(layout))
    steps["base image"] = Step(needs=("docker", "base image archive"), run=lambda: images.import_base(layout))
    steps["pause image"] = Step(needs=("containerd", "docker"), run=lambda: images.import_pause(layout))
    steps |= {service.name: _service(layout, service, stopping) for service in services}
    steps["node"] = Step(
        needs=("kubelet", "proxy", "cloud-controller"), run=lambda: node.await_ready(layout, _PATIENCE)
    )
    run(steps, report, stop)


def bring(layout: Layout, modules: Tools, report: Report) -> None:
    """Bring the packages and the tools alone. Raises whatever a step raises."""
    run(_bringing(layout, modules), report, _end_commands)


def _bringing(layout: Layout, modules: Tools) -> dict[str, Step]:
    """The steps that bring the packages and the tools."""
    steps = {tools(module): Step(needs=(), run=bring) for module, bring in modules.items()}
    steps["packages"] = Step(needs=(), run=lambda: packages.ensure(layout.cache))
    return steps


def _start_machine(layout: Layout, services: list[Service]) -> None:
    if namespaces.keeper(layout) is None:
        supervisor.configure(layout, services)
    namespaces.start(layout)


def _service(layout: Layout, service: Service, stopping: threading.Event) -> Step:
    def run() -> None:
        service.configure()
        supervisor.start(layout, service.name)
        _await(layout, service, stopping)

    return Step(needs=("machine", *service.needs), run=run)


def _await(layout: Layout, service: Service, stopping: threading.Event) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return service.healthy()
        except OSError as error:
            late = time.monotonic() > deadline
            if late or stopping.wait(0.2) or not supervisor.answers(layout):
                raise SandboxError(
                    f"The service {service.name} ({service.what}) is not healthy.",
                    why=f"Asked at {service.where}, the last answer was: {error}.",
                    do="Its log tells why; `make down` and `make up` start afresh.",
                    log=layout.logs / f"{service.name}.log",
                ) from error


def _end_commands() -> None:
    """End the commands that steps of this process still wait for.

    The machine is no such command, nor is an installation of packages, which must not be left half done: both are in
    sessions of their own.
    """
    group = os.getpgrp()
    for process in psutil.Process().children(recursive=True):
        try:
            if os.getpgid(process.pid) == group:
                process.terminate()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue  # it has ended by itself
