"""The order of the start: every step as soon as what it needs is there, each seen to be healthy before the next."""

import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

from sandbox import addresses, configs, images, machine, supervise
from sandbox.errors import SandboxError
from sandbox.layout import Layout
from sandbox.services import Service

_PATIENCE = 90
"""Seconds for one service to become healthy; the slowest, the API server, takes under 15 on two cores."""

Report = Callable[[str, str], None]
"""Called with a step's name and its state: `starting` or `ready`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do at the start; `needs` name the steps before it."""

    needs: tuple[str, ...]
    run: Callable[[], None]


def start(layout: Layout, services: list[Service], report: Report) -> None:
    """Bring the machine and every service up. What runs and is healthy is left alone.

    Raises SandboxError for the first service that does not become healthy.
    """
    programs = [supervise.Program(name=s.name, command=s.command, environment=s.environment) for s in services]
    if machine.keeper(layout) is None:
        supervise.configure(layout, programs)
    machine.start(layout)
    steps = {service.name: _service(layout, service) for service in services}
    steps["instance"] = Step(needs=("moto",), run=lambda: configs.node_in_cloud(layout))
    steps["pause image"] = Step(needs=("containerd", "docker"), run=lambda: images.import_pause(layout))
    steps["base image"] = Step(needs=("docker",), run=lambda: images.import_base(layout))
    steps["node"] = Step(needs=("kubelet", "proxy", "cloud-controller"), run=lambda: _await_node(layout, services))
    _run(steps, report)


def _run(steps: Mapping[str, Step], report: Report) -> None:
    order = TopologicalSorter({name: step.needs for name, step in steps.items()})
    order.prepare()
    with ThreadPoolExecutor(max_workers=len(steps)) as pool:
        running = {}
        while order.is_active():
            for name in order.get_ready():
                report(name, "starting")
                running[pool.submit(steps[name].run)] = name
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                done.result()
                report(running[done], "ready")
                order.done(running.pop(done))


def _service(layout: Layout, service: Service) -> Step:
    def run() -> None:
        supervise.start(layout, service.name)
        _await(layout, service)

    return Step(needs=service.needs, run=run)


def _await(layout: Layout, service: Service) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return service.healthy()
        except OSError as error:
            if time.monotonic() > deadline or machine.keeper(layout) is None:
                raise SandboxError(
                    f"The service {service.name} ({service.what}) is not healthy.",
                    why=f"Asked at {service.where} for {_PATIENCE} s, the last answer was: {error}.",
                    do="Its log tells why; `make down` and `make up` start afresh.",
                    log=layout.logs / f"{service.name}.log",
                ) from error
        time.sleep(0.2)


def _await_node(layout: Layout, services: list[Service]) -> None:
    """Wait for the node to be Ready and the cloud controller to have placed it in its zone."""
    kubectl = next(Path(s.command[0]).parent for s in services if s.name == "kubelet") / "kubectl"
    base = [str(kubectl), f"--kubeconfig={layout.kubeconfig}", f"--cache-dir={layout.kubectl_cache}"]
    zone = f"--for=jsonpath={{.metadata.labels.topology\\.kubernetes\\.io/zone}}={addresses.ZONE}"
    for condition in ("--for=create", "--for=condition=Ready", zone):
        waited = subprocess.run(
            [*base, "wait", f"node/{addresses.NODE}", condition, f"--timeout={_PATIENCE}s"],
            capture_output=True,
            text=True,
            check=False,
        )
        if waited.returncode:
            raise SandboxError(
                "The Kubernetes node is not ready.",
                why=waited.stderr.strip(),
                do="The kubelet's log tells why.",
                log=layout.logs / "kubelet.log",
            )
