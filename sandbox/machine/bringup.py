"""The start: each step runs once the steps it needs are done, a service's step once it is healthy."""

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
from sandbox.services import images, metrics, node
from sandbox.services.service import Service, tools_of

_PATIENCE = 90
"""Seconds for one service to become healthy; the slowest, the API server, takes under 15 on two cores."""

Tools = Mapping[str, Callable[[], object]]
"""By Go module of the toolchain: the function that finds, downloads or builds its tools."""


def start(layout: Layout, services: list[Service], modules: Tools, report: Report, *, measured: bool) -> None:
    """Get the tools, and start the machine and every service; with `measured`, start metrics-server too.

    Running services are left alone. Raises SandboxError for the first service that does not become healthy, and
    whatever else a step raises.
    """
    stopping = threading.Event()

    def stop() -> None:
        stopping.set()
        _end_commands()

    extra = metrics.service(layout)
    steps = _bringing(layout, modules)
    steps["machine"] = Step(needs=("packages",), run=lambda: _start_machine(layout, [*services, extra]))
    steps["base image archive"] = Step(needs=("packages",), run=lambda: images.base_archive(layout.cache))
    steps["base image"] = Step(needs=("docker", "base image archive"), run=lambda: images.import_base(layout))
    steps["pause image"] = Step(needs=("containerd", "docker"), run=lambda: images.import_pause(layout))
    steps |= {service.name: _service(layout, service, stopping) for service in services}
    steps["node"] = Step(
        needs=("kubelet", "proxy", "cloud-controller"), run=lambda: node.await_ready(layout, _PATIENCE)
    )
    if measured:
        steps[extra.name] = _service(layout, extra, stopping)
        steps["metrics"] = Step(needs=(extra.name,), run=lambda: metrics.register(layout, _PATIENCE))
    run(steps, report, stop)


def bring(layout: Layout, modules: Tools, report: Report) -> None:
    """Get only the packages and the tools. Raises whatever a step raises."""
    run(_bringing(layout, modules), report, _end_commands)


def _bringing(layout: Layout, modules: Tools) -> dict[str, Step]:
    """Return the steps that get the packages and the tools."""
    steps = {tools_of(module): Step(needs=(), run=bring) for module, bring in modules.items()}
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
                    why=f"The last answer at {service.where} was: {error}.",
                    do="Its log has the reason. To start again from nothing: `make down`, then `make up`.",
                    log=layout.logs / f"{service.name}.log",
                ) from error


def _end_commands() -> None:
    """End the commands that steps of this process still wait for.

    The machine and an installation of packages, which must not be left half done, go on: both have their own sessions.
    """
    group = os.getpgrp()
    for process in psutil.Process().children(recursive=True):
        try:
            if os.getpgid(process.pid) == group:
                process.terminate()
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue  # it has ended
