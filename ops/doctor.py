"""`make doctor`: check what a stack needs, and print the command that fixes each problem.

It changes nothing but one thing: it deletes the empty files that make a state in files unreadable, and says so.

It runs the user's own tools, and last a preview: the program checks its settings and the cluster before it plans
anything.
"""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError, NoCredentialsError

from infra import docker_login
from ops import aws, command, preview, pulumi
from ops.command import OpsError, ended

Settings = Mapping[str, Any]
"""A stack's settings, as `pulumi.settings` returns them."""

_COMMANDS = {
    "eks": ("aws", "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"),
    "kops": ("kops", "https://github.com/kubernetes/kops/releases"),
}
"""By the cluster's driver: the command it calls, and where to get it. The program itself calls kubectl."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The result of one check."""

    check: str
    """What was checked."""
    found: str
    """What was found, or what is wrong."""
    fix: str = ""
    """The command that fixes it, or what to do where no command can; empty when nothing is wrong."""


def run(stack: Annotated[str, typer.Option(help="The stack to check.")]) -> None:
    """Check what a stack needs, and print the command that fixes each problem. Exit 1 when something is wrong."""
    wrong = 0
    for each in examine(stack):
        wrong += bool(each.fix)
        indented = each.found.replace("\n", f"\n{'':21}")
        print(f"{'wrong' if each.fix else 'ok':5} {each.check:14} {indented}", flush=True)
        if each.fix:
            print(f"{'':5} {'to fix it':14} {each.fix}", flush=True)
    print(f"{wrong} to fix." if wrong else "Nothing to fix.")
    if wrong:
        raise typer.Exit(1)


def examine(stack: str) -> Iterator[Result]:
    """Run the checks one after the other and yield their findings. Raises nothing: a failure is a finding."""
    engine = pulumi_itself()
    yield engine
    if engine.fix:
        return
    yield plugins()
    if repaired := pulumi.repaired():
        yield Result(check="state", found="\n".join(repaired))
    try:
        settings = pulumi.settings(stack, secrets=True)
    except OpsError as error:
        yield Result(check="configuration", found=error.why, fix=_no_configuration(error.why, stack))
        return
    yield Result(check="configuration", found=f"of the stack {stack}")
    yield docker(settings)
    if "server" in (settings.get("registry") or {}):
        yield registry(settings, stack)
    yield tool("kubectl", "https://kubernetes.io/docs/tasks/tools/")
    if called := _COMMANDS.get((settings.get("cluster") or {}).get("driver", "")):
        yield tool(*called)
    login = credentials(settings)
    yield login
    # Without AWS a preview would only time out.
    if not login.fix:
        yield program(stack)


def pulumi_itself() -> Result:
    """Compare the pulumi on PATH with the SDK: it must have the same major version and be no older."""
    sdk = version("pulumi")
    install = f"curl -fsSL https://get.pulumi.com | sh -s -- --version {sdk}"
    try:
        found = pulumi.run("version").strip().removeprefix("v")
    except OpsError as error:
        return Result(check="pulumi", found=error.why, fix=install)
    (major, minor), (sdk_major, sdk_minor) = (tuple(map(int, each.split(".")[:2])) for each in (found, sdk))
    fits = major == sdk_major and minor >= sdk_minor
    return Result(check="pulumi", found=f"{found}, the SDK {sdk}", fix="" if fits else install)


def plugins() -> Result:
    """Look for the plugins the program needs, in pulumi's own folder and on PATH."""
    about = pulumi.ended("about", "--json")
    if about.returncode:
        return Result(check="plugins", found=pulumi.said(about.stderr), fix="pulumi install")
    installed = json.loads(pulumi.run("plugin", "ls", "--json"))
    there = {(each["name"], each.get("version")) for each in installed}
    needed = [each for each in json.loads(about.stdout).get("plugins") or () if each["kind"] == "resource"]
    missing = [
        f"{each['name']} {each['version']}"
        for each in needed
        if (each["name"], each["version"]) not in there and not shutil.which(f"pulumi-resource-{each['name']}")
    ]
    if missing or not needed:
        return Result(check="plugins", found=f"missing: {', '.join(missing) or 'all'}", fix="pulumi install")
    return Result(check="plugins", found=", ".join(f"{each['name']} {each['version']}" for each in needed))


def docker(settings: Settings) -> Result:
    """Check that the Docker daemon answers and that it builds for the image's platform, natively or by emulation."""
    wanted = (settings.get("image") or {}).get("platform", "linux/amd64")
    try:
        done = ended("docker", "version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
    except OpsError as error:
        return Result(check="Docker", found=error.why, fix="install it: https://docs.docker.com/engine/install")
    if done.returncode:
        start = "sudo systemctl start docker" if sys.platform == "linux" else "docker desktop start"
        fix = "unset DOCKER_HOST" if "DOCKER_HOST" in os.environ else start
        return Result(check="Docker", found=docker_login.last_line(done.stderr), fix=fix)
    host = _context_host()
    if "DOCKER_HOST" not in os.environ and "://" in host and host != "unix:///var/run/docker.sock":
        # Pulumi's docker plugin ignores docker contexts.
        found = f"the docker context in use is at {host}, which the build ignores"
        return Result(check="Docker", found=found, fix=f"export DOCKER_HOST={shlex.quote(host)}")
    found = done.stdout.strip()
    if found.endswith(f" {wanted}") or wanted in ended("docker", "buildx", "inspect").stdout:
        return Result(check="Docker", found=found)
    fix = f"docker run --privileged --rm tonistiigi/binfmt --install {wanted.removeprefix('linux/')}"
    return Result(check="Docker", found=f"{found}, and image.platform is {wanted}", fix=fix)


def _context_host() -> str:
    return ended("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()


def tool(name: str, source: str) -> Result:
    """Look for a command on PATH; `source` is the page that says how to install it."""
    there = shutil.which(name)
    return Result(check=name, found=there or f"no `{name}` on PATH", fix="" if there else f"install it: {source}")


def registry(settings: Settings, stack: str) -> Result:
    """Log docker in to the registry, with a temporary configuration folder: the login is not kept."""
    its = settings["registry"]
    server, user, fix = its.get("server"), its.get("username"), "pulumi config set --secret --path registry.password"
    try:
        if not (password := its.get("password", "")):
            file = command.PROJECT / Path(its.get("passwordFile", "not set")).expanduser()
            password = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        return Result(check="registry", found=f"its password cannot be read: {error}", fix=f"{fix} --stack {stack}")
    try:
        done = docker_login.ask(str(server), str(user), str(password))
    except OSError as error:
        return Result(check="registry", found=f"docker cannot be run: {error}", fix="docker version")
    if done.returncode == 0:
        return Result(check="registry", found=f"{user} at {server}")
    fix = f"{fix} --stack {stack}" if docker_login.is_refused(done) else f"curl --verbose https://{server}/v2/"
    return Result(check="registry", found=docker_login.last_line(done.stderr), fix=fix)


def credentials(settings: Settings) -> Result:
    """Ask AWS for the account of the credentials, in the stack's region."""
    where = settings.get("aws") or {}
    try:
        account = aws.account(settings)
    except OpsError as error:
        cause, at = error.__cause__, where.get("endpoint") or f"https://sts.{where.get('region')}.amazonaws.com"
        fix = "aws sso login" if isinstance(cause, ClientError) else f"curl --verbose {at}"
        return Result(
            check="AWS", found=error.why, fix="aws configure" if isinstance(cause, NoCredentialsError) else fix
        )
    found, only = f"account {account}, region {where.get('region')}", where.get("account")
    if only not in (None, account):
        return Result(
            check="AWS", found=f"{found}; aws.account is {only}", fix=f"set AWS_PROFILE to a profile of {only}"
        )
    if only is None and not where.get("endpoint"):
        found += f"\nto refuse any other account: pulumi config set --path --type string aws.account {account}"
    return Result(check="AWS", found=found)


def program(stack: str) -> Result:
    """Preview the stack: the program refuses wrong settings, and an unfit cluster or registry, with the reason."""
    report, errors = preview.planned(stack)
    if not errors:
        changes = {key: count for key, count in (report.get("changeSummary") or {}).items() if key != "same"}
        planned = ", ".join(f"{count} to {key}" for key, count in changes.items()) or "no changes"
        return Result(check="preview", found=planned)
    return Result(check="preview", found="\n".join(errors), fix=f"do as it says, then: pulumi preview --stack {stack}")


def _no_configuration(why: str, stack: str) -> str:
    if "no stack named" in why:
        return f"cp examples/stacks/eks-ecr.yaml Pulumi.{stack}.yaml && pulumi stack init {stack}"
    if "passphrase" in why:
        return "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"
    return "pulumi login" if "login" in why or "logged in" in why else f"pulumi config --stack {stack}"
