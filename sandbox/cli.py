"""The command line: `python -m sandbox --help` lists the commands; the Makefile has short names for them."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Literal

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops import engine
from ops.check_site import Visit
from sandbox import environment, orphans, site, toolchain
from sandbox.errors import SandboxError
from sandbox.layout import Layout, here
from sandbox.machine import bringup, host, namespaces, packages, supervisor
from sandbox.progress import Report, reporting
from sandbox.services import metrics
from sandbox.services.service import Service, tools_of
from sandbox.services.table import prepare, table

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="The embedded cloud.", pretty_exceptions_enable=False
)
console = Console(highlight=False, soft_wrap=True)


Driver = Annotated[
    Literal["existing", "eks"],
    typer.Option(help="Use the existing cluster, or make one with EKS; each driver has its own stack."),
]
Measured = Annotated[
    bool,
    typer.Option(
        "--metrics",
        help="Run metrics-server too, for autoscaling. A stack whose file has app.scale.max starts it by itself.",
    ),
]


@app.command()
def up(driver: Driver = "existing") -> None:
    """Start the cloud, deploy the program on it, and say where the site is and what to do next."""
    with _errors():
        layout, stack = here(), environment.STACKS[driver]
        _start(layout, stack)
        _plugins(layout)
        _pulumi(layout, "up", stack, "--yes", "--refresh")
        _site(layout, stack)
        console.print(_LOGS)
        console.print("Next: [bold]source .sandbox/env && kubectl get pods[/], or the tour in docs/tour/README.md")
        console.print("To end it all: [bold]make down[/]")


@app.command()
def start(driver: Driver = "existing", measured: Measured = False) -> None:
    """Start the cloud and select its stack, without deploying."""
    with _errors():
        layout = here()
        _start(layout, environment.STACKS[driver], measured=measured)
        _show(layout)


@app.command("toolchain")
def tools() -> None:
    """Install the engine, Kubernetes and Debian's packages, and start nothing. Only the packages need root."""
    with _errors(), reporting(console) as report:
        host.needs_linux()
        bringup.bring(here(), _tools(here(), toolchain.TOOLS, [], report), report)


@app.command()
def preview(driver: Driver = "existing") -> None:
    """Show what `up` would do. Starts the cloud when it does not run."""
    with _errors():
        layout, stack = here(), environment.STACKS[driver]
        _start(layout, stack)
        _plugins(layout)
        _pulumi(layout, "preview", stack, "--diff")


@app.command()
def status() -> None:
    """Show what runs, where, and which services were restarted after a crash. Exit 1 when a service does not run."""
    with _errors():
        layout = here()
        if namespaces.keeper(layout) is None:
            console.print("The sandbox does not run. Start it with `make up`.")
            raise typer.Exit(1)
        if not _show(layout):
            raise typer.Exit(1)
        for stack in environment.deployed(layout):
            _site(layout, stack, curl=True)


@app.command()
def down() -> None:
    """End the cloud and remove everything it wrote, except caches and Debian's packages, which start nothing."""
    with _errors():
        layout = here()
        began = time.monotonic()
        orphans.end(layout)
        namespaces.stop(layout)
        if layout.root.exists():
            with open("/proc/mounts") as mounts:
                left = [line.split()[1] for line in mounts if str(layout.root) in line]
            if left:
                raise SandboxError(
                    "The sandbox's files were not removed.",
                    why=f"Something is still mounted below them: {', '.join(left)}.",
                    do="Unmount it with `umount` and run `make down` again.",
                )
            shutil.rmtree(layout.root)
        shutil.rmtree(layout.run, ignore_errors=True)
        console.print(f"Everything is removed but the cache, {layout.cache} ({time.monotonic() - began:.0f} s).")
        _kept(layout)


def _start(layout: Layout, stack: str, *, measured: bool = False) -> None:
    namespaces.check(layout)
    measured = measured or metrics.asked_for(layout, stack)
    prepare(layout)
    tools = (*toolchain.TOOLS, toolchain.METRICS_SERVER) if measured else toolchain.TOOLS
    found: list[toolchain.Found] = []
    with reporting(console) as report:
        bringup.start(layout, table(layout), _tools(layout, tools, found, report), report, measured=measured)
    environment.write(layout, found)
    environment.select_stack(layout, stack)


def _tools(
    layout: Layout, tools: Sequence[toolchain.Tool], found: list[toolchain.Found], report: Report
) -> bringup.Tools:
    """Return, by Go module, a function that finds its tools, adds them to `found`, and links them for the services.

    Without a folder for the links, no service starts and none is made.
    """

    def bring(module: str) -> None:
        def progress(what: str, done: int, total: int) -> None:
            report.advanced(tools_of(module), f"{tools_of(module)}: {what}", done, total)

        own = [tool for tool in tools if tool.module == module]
        for each in toolchain.find(own, layout.cache, progress, path=environment.search_path(layout)):
            found.append(each)
            if layout.tools.exists():
                for name, path in each.binaries.items():
                    environment.link(layout.tools / name, path)

    # Kubernetes first: the services need it.
    return {module: partial(bring, module) for module in ("kubernetes", "pulumi")}


def _pulumi(layout: Layout, verb: str, stack: str, *options: str) -> None:
    """Run the engine on the terminal. Raises SandboxError when it fails or is interrupted."""
    orphans.end(layout)
    environment.release_abandoned_lock(layout, stack)
    arguments = (verb, *options, "--stack", stack)
    command = (str(layout.bin / "pulumi"), *arguments)
    ended = engine.run(command, folder=layout.checkout, environment=os.environ | environment.variables(layout))
    if ended.why:
        raise SandboxError(
            f"`pulumi {' '.join(arguments)}` failed.",
            why=ended.why,
            do="Fix it and run the command again. To look around with pulumi, kubectl, docker and aws: "
            f"`source {layout.root / 'env'}`.",
        )


_IN_A_PIPE = 300
"""The width of the table, in characters, where there is no terminal: at its own 80, rich would break addresses."""
_LOGS = "Logs: .sandbox/logs/<service>.log"


def _show(layout: Layout) -> bool:
    """Print the services, plugins and logs. Return False when a service does not run."""
    about: dict[str, Service] = {service.name: service for service in (*table(layout), metrics.service(layout))}
    shown = Table("service", "what", box=box.SIMPLE)
    shown.add_column("where", overflow="fold")
    shown.add_column("state")
    # metrics-server is shown only when it was started.
    states = [each for each in supervisor.states(layout) if each.since or each.name != metrics.NAME]
    for state in states:
        said = "[green]running[/]" if state.running else f"[red]{state.state}[/]"
        if state.healed:
            said += f", healed {state.healed}x ({escape(state.last_exit)})"
        service = about[state.name]
        shown.add_row(state.name, service.what, service.where, said)
    if not console.is_terminal:
        console.width = _IN_A_PIPE
    console.print(shown)
    _plugins(layout)
    console.print(_LOGS)
    console.print("Commands: [bold]source .sandbox/env[/] for pulumi, kubectl, docker and aws")
    return all(state.running for state in states)


def _plugins(layout: Layout) -> None:
    """Print the version and origin of each of the engine's plugins."""
    console.print("Plugins of the engine:")
    for name, what in environment.plugins(layout).items():
        console.print(f"  {name} {what}")


def _kept(layout: Layout) -> None:
    """Print what stays on the machine beside the cache, and the commands that remove it."""
    if shutil.which("go"):
        console.print("Go's own caches stay too; builds fill them, and other programs use them. To empty them:")
        console.print("  go clean -cache -modcache")
    if installed := packages.installed(layout.cache):
        console.print("The Debian packages installed for it stay too; they start nothing. To remove them:")
        console.print(f"  apt-get purge --autoremove {' '.join(installed)}")


def _url(layout: Layout, stack: str) -> str | None:
    """Return the URL of the stack's site, or None while it is not deployed."""
    said = subprocess.run(
        [str(layout.bin / "pulumi"), "stack", "output", "url", "--stack", stack],
        cwd=layout.checkout,
        env=os.environ | environment.variables(layout),
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() if said.returncode == 0 else None


def _site(layout: Layout, stack: str, *, curl: bool = False) -> None:
    """Visit the stack's site, and print its URL and how to open it; with `curl`, print a curl command too.

    Raises SandboxError when it does not answer within 30 s.
    """
    url = _url(layout, stack)
    if url is None:
        console.print(f"The stack {stack} is not deployed. Deploy it with `make up`.")
        return
    host = url.removeprefix("https://").rstrip("/")
    deadline = time.monotonic() + 30  # a new load balancer is in service within seconds
    while True:
        try:
            address = site.address(host)
            reason = Visit(url=url, authority=layout.ca, address=address).once()
            if reason is None:
                break
        except OSError as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise SandboxError(
                f"{url} does not answer.",
                why=f"For 30 s: {reason}.",
                do="`make status` shows what runs; `make up` starts what does not.",
                log=layout.logs / "balancers.log",
            )
        time.sleep(0.5)
    console.print(f"[bold]{url}[/] answers 200, its certificate verified.")
    console.print(f"In a browser: add `{address} {host}` to /etc/hosts, and trust a copy of .sandbox/ca.crt")
    if curl:
        console.print(f"By hand: curl --cacert .sandbox/ca.crt --resolve {host}:443:{address} {url}")


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except SandboxError as error:
        console.print(f"[bold red]Error:[/] {escape(str(error))}")
        raise typer.Exit(1) from error
