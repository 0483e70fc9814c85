"""`make new-stack`: from a few answers to `Pulumi.<stack>.yaml`, a stack in its backend, and encrypted secrets.

Every answer is checked as it is given, by the program's own rules; all of them once more, together, before anything
is made; and what was made is taken back when a later step fails or is interrupted.
"""

import os
import sys
from functools import partial
from typing import Annotated, Any

import typer

from infra import checks
from infra.reading import close_to
from ops import engine, settings
from ops import stack_making as new
from ops.errors import OpsError
from ops.questions import QUESTIONS, Answers, nested

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
        typer.Option("--set", help="A setting as KEY=VALUE, such as domain=dev.example.com; repeated."),
    ] = None,
) -> None:
    """Ask for what a stack needs, and make it.

    With every answer in a flag and the secrets in the environment (REGISTRY_PASSWORD, PULUMI_CONFIG_PASSPHRASE) nothing
    is asked.
    """
    answers = _parsed(given or [])
    name = _answer("--stack", "The stack's name", new.stack_name, stack)
    if (engine.PROJECT / f"Pulumi.{name}.yaml").exists():
        raise OpsError(f"There is a Pulumi.{name}.yaml already. Choose another name, or change that file.")
    for question in QUESTIONS:
        if question.driver in ("", answers.get("cluster.driver")):
            label = f"--set {question.key}=VALUE"
            proposal = question.default(answers)
            rule = partial(_expected, question.key, answers)
            answers[question.key] = _answer(label, question.text, rule, answers.get(question.key, ""), proposal)
    password = _secret(PASSWORD, "The password there")
    where = _answer(
        "--backend", "Where the state is kept (file://, s3://, https://)", new.backend_url, backend, "file://~"
    )
    if where.startswith("s3://") and "region=" not in where:
        # Otherwise pulumi looks for the bucket in whatever region the shell has.
        where += f"{'&' if '?' in where else '?'}region={answers['aws.region']}"
    in_cloud = where.startswith("https://")
    provider = _answer(
        "--secrets",
        "What encrypts secrets (passphrase, awskms://KEY?region=REGION" + (", default)" if in_cloud else ")"),
        new.secrets_provider,
        secrets,
        "default" if in_cloud else "passphrase",
    )
    if provider == "default" and not in_cloud:
        raise OpsError("The secrets provider `default` is Pulumi Cloud's. Choose passphrase or awskms://.")
    request = new.Request(
        name=name,
        backend=where,
        secrets_provider=provider,
        config=_tagged(nested(answers), stack=name),
        password=password,
        passphrase=_secret(new.PASSPHRASE, "A passphrase") if provider == "passphrase" else "",
    )
    new.make(request)
    print(
        f"Pulumi.{name}.yaml is written, its secrets encrypted with {provider.partition('?')[0]}. Next:\n"
        f"  pulumi login '{where}'\n"
        f"  make doctor STACK={name}\n"
        f"  pulumi preview --stack {name}"
    )


def _expected(key: str, answers: Answers, answer: str) -> str | None:
    """What the program expects of an answer, given those before it, or None when it takes it.

    What is still unanswered makes problems as well; they are of other keys.
    """
    try:
        new.accepted(nested({**answers, key: answer}), name="new", project=engine.PROJECT)
    except settings.RefusedError as error:
        problem = error.problems.get(key) or error.problems.get(key.partition("[")[0])
        return problem.partition("expected ")[2] or problem if problem else None
    return None


def _parsed(given: list[str]) -> dict[str, str]:
    """The answers in `--set`. Raises OpsError for what is no KEY=VALUE, or a secret."""
    answers = {}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals:
            raise OpsError(f"--set {each}: expected KEY=VALUE, such as domain=dev.example.com.")
        if key == "registry.password":
            raise OpsError(f"--set {key}: every user of the machine could read it there. Set {PASSWORD} instead.")
        known = [question.key for question in QUESTIONS]
        if key not in known:
            raise OpsError(
                f"--set {key}: unknown{close_to(key, known)}. What is not asked is set in the file afterwards; "
                f"asked are {', '.join(known)}."
            )
        answers[key] = value
    return answers


def _answer(label: str, text: str, check: checks.Check, given: str, proposal: str = "") -> str:
    """Take the given answer, or ask until one passes. Raises OpsError for a given one that does not."""
    if given:
        if expected := check(given):
            raise OpsError(f"{label}: found {given!r}, expected {expected}.")
        return given
    if not sys.stdin.isatty():
        if proposal and check(proposal) is None:
            return proposal
        raise OpsError(f"{label} is needed: {text}. Nobody can be asked, since there is no terminal.")
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


def _tagged(config: dict[str, Any], *, stack: str) -> dict[str, Any]:
    config["aws"]["tags"] = {"project": engine.project_name(), "stack": stack}
    return config
