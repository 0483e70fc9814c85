"""The command line: `python -m sandbox --help` lists it; the Makefile has a short name for each."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sandbox import environment, site, toolchain
from sandbox.errors import SandboxError
from sandbox.layout import Layout, here
from sandbox.machine import bringup, host, namespaces, packages, supervisor
from sandbox.progress import Report, reporting
from sandbox.services.service import Service
from sandbox.services.table import prepare, table

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The embedded cloud.", pretty_exceptions_enable=False
)
console = Console(highlight=False, soft_wrap=True)


Driver = Annotated[
    Literal["existing", "eks"], typer.Option(help="Who makes the cluster: nobody, or EKS; each has a stack of its own.")
]


@app.command()
def up(driver: Driver = "existing") -> None:
    """Start the cloud, deploy the program on it, and say where everything is."""
    with _errors():
        began = time.monotonic()
        layout, stack = here(), environment.STACKS[driver]
        _start(layout, stack)
        _pulumi(layout, "up", stack, "--yes", "--refresh")
        _show(layout)
        _site(layout, stack)
        console.print(f"[bold green]Up[/] after {time.monotonic() - began:.0f} s.")


@app.command()
def start(driver: Driver = "existing") -> None:
    """Start the cloud alone, with an empty or its present stack."""
    with _errors():
        layout = here()
        _start(layout, environment.STACKS[driver])
        _show(layout)


@app.command("toolchain")
def tools() -> None:
    """Have the engine, Kubernetes and Debian's packages at hand; it starts nothing. Root is for the packages alone."""
    with _errors(), reporting(console) as report:
        host.needs_linux()
        bringup.bring(here(), _tools(here(), [], report), report)


@app.command()
def preview(driver: Driver = "existing") -> None:
    """Show what `up` would do; starts the cloud when it does not run."""
    with _errors():
        layout, stack = here(), environment.STACKS[driver]
        _start(layout, stack)
        _pulumi(layout, "preview", stack, "--diff")


@app.command()
def status() -> None:
    """Show what runs and where, and what the supervisor had to start again; exit 1 when something does not run."""
    with _errors():
        layout = here()
        if namespaces.keeper(layout) is None:
            console.print("The sandbox does not run. Start it with `make up`.")
            raise typer.Exit(1)
        if not _show(layout):
            raise typer.Exit(1)
        for stack in environment.deployed(layout):
            _site(layout, stack)


@app.command()
def down() -> None:
    """End everything and remove all that the sandbox wrote but the cache; Debian's packages stay, and start nothing."""
    with _errors():
        layout = here()
        began = time.monotonic()
        namespaces.stop(layout)
        if layout.root.exists():
            with open("/proc/mounts") as mounts:
                left = [line.split()[1] for line in mounts if str(layout.root) in line]
            if left:
                raise SandboxError(
                    "The sandbox's files were not removed.",
                    why=f"Something is still mounted beneath them: {', '.join(left)}.",
                    do="Unmount it with `umount`, and run `make down` again.",
                )
            shutil.rmtree(layout.root)
        shutil.rmtree(layout.run, ignore_errors=True)
        console.print(f"Nothing is left but the cache, {layout.cache} ({time.monotonic() - began:.0f} s).")
        if installed := packages.installed(layout.cache):
            console.print("These Debian packages, installed for it, stay too; none of them starts anything. To remove:")
            console.print(f"  apt-get purge --autoremove {' '.join(installed)}")


def _start(layout: Layout, stack: str) -> None:
    namespaces.check(layout)
    prepare(layout)
    found: list[toolchain.Found] = []
    with reporting(console) as report:
        bringup.start(layout, table(layout), _tools(layout, found, report), report)
    environment.write(layout, found)
    environment.select_stack(layout, stack)


def _tools(layout: Layout, found: list[toolchain.Found], report: Report) -> bringup.Tools:
    """What brings the tools, a Go module's together: into `found`, and as links for the services, if those start."""

    def bring(module: str) -> None:
        def progress(what: str, done: int, total: int) -> None:
            report.advanced(bringup.tools(module), f"{bringup.tools(module)}: {what}", done, total)

        tools = [tool for tool in toolchain.TOOLS if tool.module == module]
        for each in toolchain.find(tools, layout.cache, progress, path=environment.search_path(layout)):
            found.append(each)
            if layout.tools.exists():
                for name, path in each.binaries.items():
                    environment.link(layout.tools / name, path)

    # In this order: the services need what comes first.
    return {module: partial(bring, module) for module in ("kubernetes", "pulumi")}


def _pulumi(layout: Layout, verb: str, stack: str, *options: str) -> None:
    """Run the engine on the terminal. Raises SandboxError when it fails or is interrupted."""
    environment.release_abandoned_lock(layout, stack)
    arguments = (verb, *options, "--stack", stack)
    command = [str(layout.bin / "pulumi"), *arguments]
    process = subprocess.Popen(command, cwd=layout.checkout, env=os.environ | environment.variables(layout))
    # Ctrl-C reaches the engine by itself: let it end in order, and keep the state.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if process.returncode:
        raise SandboxError(
            f"`pulumi {' '.join(arguments)}` failed.",
            why="What it says above is the reason.",
            do="Mend it and run the command again. To look around with the sandbox's own pulumi, kubectl, docker "
            f"and aws: `source {layout.root / 'env'}`.",
        )


def _show(layout: Layout) -> bool:
    """Print the table of services; False when one of them does not run."""
    about: dict[str, Service] = {service.name: service for service in table(layout)}
    shown = Table("service", "what", box=box.SIMPLE)
    shown.add_column("where", overflow="fold")
    shown.add_column("state")
    states = supervisor.states(layout)
    for state in states:
        said = "[green]running[/]" if state.running else f"[red]{state.state}[/]"
        if state.healed:
            said += f", healed {state.healed}x ({escape(state.last_exit)})"
        service = about[state.name]
        shown.add_row(state.name, service.what, service.where, said)
    console.print(shown)
    console.print("Plugins of the engine:")
    for name, what in environment.plugins(layout).items():
        console.print(f"  {name} {what}")
    console.print("Logs: .sandbox/logs/<service>.log")
    return all(state.running for state in states)


def _url(layout: Layout, stack: str) -> str | None:
    """The URL of the stack's site, or None while it is not deployed."""
    said = subprocess.run(
        [str(layout.bin / "pulumi"), "stack", "output", "url", "--stack", stack],
        cwd=layout.checkout,
        env=os.environ | environment.variables(layout),
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() if said.returncode == 0 else None


def _site(layout: Layout, stack: str) -> None:
    """Visit the stack's site, and say how to do so by hand. Raises SandboxError when it does not answer within 30 s."""
    url = _url(layout, stack)
    if url is None:
        console.print(f"The stack {stack} is not deployed: `make up` deploys.")
        return
    deadline = time.monotonic() + 30  # a new balancer is in service within seconds
    while True:
        try:
            answer = site.visit(url, authority=layout.ca)
            if answer.status == 200:
                break
            reason = f"it answered {answer.status}"
        except OSError as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise SandboxError(
                f"{url} does not answer.",
                why=f"For 30 s: {reason}.",
                do="`make status` shows what runs; `make up` brings back what is missing.",
                log=layout.logs / "balancers.log",
            )
        time.sleep(0.5)
    host = url.removeprefix("https://").rstrip("/")
    console.print(f"[bold]{url}[/] answers 200, its certificate verified. By hand:")
    console.print(f"  curl --cacert .sandbox/ca.crt --resolve {host}:443:{answer.address} {url}")
    console.print("Your own pulumi, kubectl, docker and aws: [bold]source .sandbox/env[/]")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SandboxError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
