"""`make new-stack`: from a few answers to `Pulumi.<stack>.yaml`, a stack in its backend, and encrypted secrets.

Every answer is checked as it is given, by the program's own rules, before anything is made; and what was made is
taken back when a later step fails or is interrupted.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from ops import engine, interview
from ops import stack_making as new
from ops.errors import OpsError

Check = Callable[[str], str | None]
"""Returns what was expected of a text, None when it is as expected."""

PASSWORD = "REGISTRY_PASSWORD"  # noqa: S105  # the name of the variable
"""Environment variable: the registry's password, where nobody can be asked. It is never taken from the command line,
which every user of the machine can read."""


def run(
    stack: Annotated[str, typer.Option("--stack", help="The new stack's name.")] = "",
    backend: Annotated[
        str, typer.Option(help="Where the state is kept: file://PATH, s3://BUCKET, https://api.pulumi.com.")
    ] = "",
    secrets: Annotated[
        str, typer.Option(help="What encrypts secrets: passphrase, default, awskms://KEY?region=REGION.")
    ] = "",
    given: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting as PATH=VALUE, such as domain=dev.example.com; repeated."),
    ] = None,
) -> None:
    """Ask for what a stack needs, and make it.

    With every answer in a flag and the secrets in the environment (REGISTRY_PASSWORD, PULUMI_CONFIG_PASSPHRASE) nothing
    is asked.
    """
    answers = dict(map(_parsed, given or []))
    name = _answer("--stack", "The stack's name", new.stack_name, stack)
    if (engine.PROJECT / f"Pulumi.{name}.yaml").exists():
        raise OpsError(f"There is a Pulumi.{name}.yaml already. Choose another name, or change that file.")
    tags = {"aws.tags.project": engine.project_name(), "aws.tags.stack": name}
    settled = interview.settle(tags | answers, name=name, ask=_setting, secret=lambda key: _secret(PASSWORD, key))
    where = _answer(
        "--backend", "Where the state is kept (file://, s3://, https://)", new.backend_url, backend, "file://~"
    )
    if where.startswith("s3://") and "region=" not in where:
        # Otherwise pulumi looks for the bucket in whatever region the shell has.
        where += f"{'&' if '?' in where else '?'}region={settled.read.aws.region}"
    check = partial(new.secrets_provider, backend=where)
    proposal = "default" if where.startswith("https://") else "passphrase"
    provider = _answer("--secrets", "What encrypts secrets (passphrase, awskms://...)", check, secrets, proposal)
    passphrase = _secret(new.PASSPHRASE, "A passphrase") if provider == "passphrase" else ""
    new.make(new.Request(name=name, backend=where, secrets_provider=provider, settled=settled, passphrase=passphrase))
    print(
        f"Pulumi.{name}.yaml is written, its secrets encrypted with {provider.partition('?')[0]}. Next:\n"
        f"  pulumi login '{where}'\n"
        f"  make doctor STACK={name}\n"
        f"  pulumi preview --stack {name}"
    )


def _parsed(given: str) -> tuple[str, str]:
    """The path and the value in a `--set`. Raises OpsError for what is no PATH=VALUE, or a secret."""
    key, equals, value = given.partition("=")
    if not equals:
        raise OpsError(f"--set {given}: expected PATH=VALUE, such as domain=dev.example.com.")
    if key == "registry.password":
        raise OpsError(f"--set {key}: every user of the machine could read it there. Set {PASSWORD} instead.")
    return key, value


def _setting(key: str, expected: str, proposal: str) -> str:
    """Ask for a setting once; whether the answer is good is the program's to say."""
    if sys.stdin.isatty():
        return str(typer.prompt(f"{key}{expected and f', expected {expected}'}", default=proposal or None))
    if not proposal:
        raise OpsError(f"--set {key}=VALUE is needed: {expected}. Nobody can be asked, since there is no terminal.")
    return proposal


def _answer(label: str, text: str, check: Check, given: str, proposal: str = "") -> str:
    """Take the given answer, or ask until one passes. Raises OpsError for a given one that does not."""
    if not given and not sys.stdin.isatty():
        if not proposal:
            raise OpsError(f"{label} is needed: {text}. Nobody can be asked, since there is no terminal.")
        given = proposal
    if given:
        if expected := check(given):
            raise OpsError(f"{label}: found {given!r}, expected {expected}.")
        return given
    while True:
        said = str(typer.prompt(text, default=proposal or None))
        if not (expected := check(said)):
            return said
        typer.echo(f"  expected {expected}")


def _secret(variable: str, text: str) -> str:
    """Take a secret from the environment, or ask for it twice, unseen. Raises OpsError for none."""
    if value := os.environ.get(variable, ""):
        return value
    if not sys.stdin.isatty():
        raise OpsError(f"{variable} is needed: {text}. Nobody can be asked, since there is no terminal.")
    return str(typer.prompt(text, hide_input=True, confirmation_prompt=True))
