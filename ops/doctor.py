"""`make doctor`: what a stack needs, what is wrong, and the one command that fixes it.

The user's own tools are asked, and at last the program itself, by a preview: it looks at its settings and at the
cluster before it plans anything.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError, NoCredentialsError

from ops import aws, command, preview, pulumi
from ops.command import OpsError, ended

Settings = Mapping[str, Any]
"""A stack's, as `pulumi.settings` gives them."""

_COMMANDS = {
    "eks": ("aws", "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"),
    "kops": ("kops", "https://github.com/kubernetes/kops/releases"),
}
"""The command that a cluster's driver calls, and where it comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one look found."""

    check: str
    """What was looked at."""
    found: str
    """What there is, or what is wrong with it."""
    fix: str = ""
    """The command that fixes it, or, where no command can, what to do; empty when nothing is wrong."""


def run(stack: Annotated[str, typer.Option(help="The stack to look at.")]) -> None:
    """Say what a stack needs, what is wrong, and the command that fixes it; exit 1 when something is wrong."""
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


def examine(stack: str) -> Iterator[Finding]:
    """Look at everything that the stack needs, one after the other. Raises nothing: what is missing is a finding."""
    engine = pulumi_itself()
    yield engine
    if engine.fix:
        return
    yield plugins()
    try:
        settings = pulumi.settings(stack, secrets=True)
    except OpsError as error:
        yield Finding(check="configuration", found=error.why, fix=_no_configuration(error.why, stack))
        return
    yield Finding(check="configuration", found=f"of the stack {stack}")
    yield docker(settings)
    if "server" in (settings.get("registry") or {}):
        yield registry(settings, stack)
    if called := _COMMANDS.get((settings.get("cluster") or {}).get("driver", "")):
        name, source = called
        there = shutil.which(name)
        yield Finding(check=name, found=there or f"no `{name}` on PATH", fix="" if there else f"install it: {source}")
    login = credentials(settings)
    yield login
    # Without AWS a preview would only wait for it.
    if not login.fix:
        yield program(stack)


def pulumi_itself() -> Finding:
    """Compare the pulumi on PATH with the SDK: it has to be no older, and of the same major version."""
    sdk = version("pulumi")
    install = f"curl -fsSL https://get.pulumi.com | sh -s -- --version {sdk}"
    try:
        found = pulumi.run("version").strip().removeprefix("v")
    except OpsError as error:
        return Finding(check="pulumi", found=error.why, fix=install)
    (major, minor), (sdk_major, sdk_minor) = (tuple(map(int, each.split(".")[:2])) for each in (found, sdk))
    fits = major == sdk_major and minor >= sdk_minor
    return Finding(check="pulumi", found=f"{found}, the SDK {sdk}", fix="" if fits else install)


def plugins() -> Finding:
    """Look for the plugins that the program needs, in pulumi's own folder or on PATH."""
    about = pulumi.ended("about", "--json")
    if about.returncode:
        return Finding(check="plugins", found=pulumi.said(about.stderr), fix="pulumi install")
    installed = json.loads(pulumi.run("plugin", "ls", "--json"))
    there = {(each["name"], each.get("version")) for each in installed}
    needed = [each for each in json.loads(about.stdout).get("plugins") or () if each["kind"] == "resource"]
    missing = [
        f"{each['name']} {each['version']}"
        for each in needed
        if (each["name"], each["version"]) not in there and not shutil.which(f"pulumi-resource-{each['name']}")
    ]
    if missing or not needed:
        return Finding(check="plugins", found=f"not there: {', '.join(missing) or 'any'}", fix="pulumi install")
    return Finding(check="plugins", found=", ".join(f"{each['name']} {each['version']}" for each in needed))


def docker(settings: Settings) -> Finding:
    """Ask the daemon for its platform, and the builder whether it emulates the image's, if that is another."""
    wanted = (settings.get("image") or {}).get("platform", "linux/amd64")
    try:
        done = ended("docker", "version", "--format", "{{.Server.Version}} {{.Server.Os}}/{{.Server.Arch}}")
    except OpsError as error:
        return Finding(check="Docker", found=error.why, fix="install it: https://docs.docker.com/engine/install")
    if done.returncode:
        start = "sudo systemctl start docker" if sys.platform == "linux" else "docker desktop start"
        fix = "unset DOCKER_HOST" if "DOCKER_HOST" in os.environ else start
        return Finding(check="Docker", found=_last(done.stderr), fix=fix)
    found = done.stdout.strip()
    if found.endswith(f" {wanted}") or wanted in ended("docker", "buildx", "inspect").stdout:
        return Finding(check="Docker", found=found)
    fix = f"docker run --privileged --rm tonistiigi/binfmt --install {wanted.removeprefix('linux/')}"
    return Finding(check="Docker", found=f"{found}, and image.platform is {wanted}", fix=fix)


def registry(settings: Settings, stack: str) -> Finding:
    """Have docker log in to the registry, in a folder of its own: nothing of it is kept."""
    its = settings["registry"]
    server, user, fix = its.get("server"), its.get("username"), "pulumi config set --secret --path registry.password"
    try:
        if not (password := its.get("password", "")):
            file = command.PROJECT / Path(its.get("passwordFile", "not set")).expanduser()
            password = file.read_text(encoding="utf-8").strip()
        # The daemon that the context chose, which the other folder does not know.
        host = ended("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()
        with tempfile.TemporaryDirectory() as folder:
            login = ("docker", "--config", folder, "login", server, "--username", user, "--password-stdin")
            done = ended(*map(str, login), stdin=password, environment={"DOCKER_HOST": host} if host else {})
    except OSError as error:
        return Finding(check="registry", found=f"its password cannot be read: {error}", fix=f"{fix} --stack {stack}")
    except OpsError as error:
        return Finding(check="registry", found=error.why, fix="install docker")
    if done.returncode == 0:
        return Finding(check="registry", found=f"{user} at {server}")
    refused = "unauthorized" in done.stderr.lower() or "401" in done.stderr
    fix = f"{fix} --stack {stack}" if refused else f"curl --verbose https://{server}/v2/"
    return Finding(check="registry", found=_last(done.stderr), fix=fix)


def credentials(settings: Settings) -> Finding:
    """Ask AWS whose the credentials are, in the stack's region."""
    where = settings.get("aws") or {}
    try:
        account = aws.account(settings)
    except OpsError as error:
        cause, at = error.__cause__, where.get("endpoint") or f"https://sts.{where.get('region')}.amazonaws.com"
        fix = "aws sso login" if isinstance(cause, ClientError) else f"curl --verbose {at}"
        return Finding(
            check="AWS", found=error.why, fix="aws configure" if isinstance(cause, NoCredentialsError) else fix
        )
    return Finding(check="AWS", found=f"account {account}, region {where.get('region')}")


def program(stack: str) -> Finding:
    """Preview the stack: the program refuses settings, a cluster or a registry that will not do, and says why."""
    done = pulumi.ended("preview", "--json", "--stack", stack)
    report = json.loads(done.stdout) if done.stdout.strip() else {}
    if done.returncode == 0:
        changes = {key: count for key, count in (report.get("changeSummary") or {}).items() if key != "same"}
        planned = ", ".join(f"{count} to {key}" for key, count in changes.items()) or "no changes"
        return Finding(check="preview", found=planned)
    found = "\n".join(preview.messages(report, "error")) or pulumi.said(done.stderr)
    return Finding(check="preview", found=found, fix=f"do as it says, then: pulumi preview --stack {stack}")


def _no_configuration(why: str, stack: str) -> str:
    if "no stack named" in why:
        return f"cp examples/stacks/eks-ecr.yaml Pulumi.{stack}.yaml && pulumi stack init {stack}"
    if "passphrase" in why:
        return "read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE"
    return "pulumi login" if "login" in why or "logged in" in why else f"pulumi config --stack {stack}"


def _last(text: str) -> str:
    """The last line of what a tool wrote, which is what went wrong."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it said nothing")
