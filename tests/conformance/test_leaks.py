"""No command prints a secret, writes one in plain text, or has one on its command line.

Every place that may hold a secret has a marked value. The engine, the plugins and the API server are real.
`tests/e2e/test_6_secrets.py` tests the image, the pods and the logs of the embedded cloud.
"""

import base64
import dataclasses
import json
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import trustme
import typer
import yaml

from ops import command, deploy, destroy, doctor, drift, preview, pulumi, recover
from ops.command import OpsError
from tests.conformance.existing import Existing, existing
from tests.conformance.stack import CLUSTER, Stack
from tests.e2e.watching import process_list

pytestmark = pytest.mark.usefixtures("kubectl")

PROGRAM = f"""{CLUSTER}
from infra import registry
from infra.app.environment import Environment

inside = providers.in_cluster(
    kubeconfig=made.kubeconfig, identifier=made.name, needs=settings.needs, domain=settings.domain
)
repository = registry.declare(settings.registry, path="site", protect=False, opts=in_aws)
repository.pull_secret("regcred", opts=inside)
Environment("app", settings=settings.app, aws=settings.aws, opts=inside)
pulumi.export("url", "https://site.dev.example.com/")
"""
"""A program with everything that takes a secret from the stack file."""

OTHER_PROGRAM = """
import pulumi

pulumi.export("url", pulumi.Config().require_secret("url"))
"""
"""Another stack's program, whose output is a secret."""

USER = "marked-user-1f0c5e8a72"
MARKS = {
    "registry.username": USER,
    "registry.password": "marked-password-93ab27d461",
    "cluster.kubeconfig": "marked-token-5d20c8f7e4",
    "app.secrets.TOKEN": "marked-secret-b86e13097f",
    "app.awsSecrets.FROM_AWS": "marked-aws-secret-e4510d9b6f",
    "app.fromStacks.FROM_STACK": "marked-output-7a2cf39de8",
}
"""The secret in each key or at the place that it names; for the kubeconfig, its token."""
OTHERS = "marked-token-of-another-cluster-0c4d"
LOGIN = "marked-login-c93f50b71e"
_KEY = trustme.CA().issue_cert("tester", key_type=trustme.KeyType.RSA)
PEM = _KEY.private_key_pem.bytes().decode()
LOGINS: dict[str, dict[str, Any]] = {
    "token": {"token": LOGIN},
    "password": {"username": "tester", "password": LOGIN},
    "key": {
        "client-certificate-data": base64.b64encode(_KEY.cert_chain_pems[0].bytes()).decode(),
        "client-key-data": base64.b64encode(PEM.encode()).decode(),
    },
    "exec": {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": [
                "-c",
                """echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '"""
                """'"status": {"token": "'"$LOGIN"'"}}'""",
            ],
            "env": [{"name": "LOGIN", "value": LOGIN}],
            "interactiveMode": "Never",
        }
    },
}
"""The users of a kubeconfig, each with another kind of login that the cluster does not take."""


def forms(mark: str) -> set[str]:
    """Return the forms that a secret may take: plain, URL-quoted, and in base64 alone or with the user."""
    whole = {mark, f"{USER}:{mark}"}
    return {mark, urllib.parse.quote(mark), *(base64.b64encode(each.encode()).decode().rstrip("=") for each in whole)}


def found(text: str) -> set[str]:
    """Return the keys whose marks are in a text."""
    logins = {"another cluster": OTHERS, "a login": LOGIN, "a key": PEM, "a line of it": PEM.splitlines()[1]}
    marks = {**MARKS, **logins}
    return {key for key, mark in marks.items() if any(each in text for each in forms(mark))}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Existing]:
    """Create a stack with encrypted secrets in its file; its kubeconfig also has another cluster's login."""
    with existing(tmp_path_factory.mktemp("world")) as made:
        # A login that it does not know is refused, and not taken for nobody's.
        made.api.flags += ("--anonymous-auth=false",)
        made.api.renew(MARKS["cluster.kubeconfig"])
        folder = made.stack.folder
        (folder / "__main__.py").write_text(PROGRAM)
        document = yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())
        del document["config"]["ejemplo-django:registry"]["passwordFile"]
        del document["config"]["ejemplo-django:cluster"]["kubeconfigFile"]
        app = document["config"]["ejemplo-django:app"]
        app["awsSecrets"] = {"FROM_AWS": in_aws(made.stack, MARKS["app.awsSecrets.FROM_AWS"])}
        app["fromStacks"] = {"FROM_STACK": in_another_stack(made.stack, MARKS["app.fromStacks.FROM_STACK"])}
        (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump(document))
        for name in ("kubeconfig", "password"):
            (folder / name).unlink()
        for key, mark in MARKS.items():
            if not key.startswith(("app.awsSecrets.", "app.fromStacks.")):
                encrypt(made.stack, key, kubeconfig(made) if key == "cluster.kubeconfig" else mark)
        yield made


def kubeconfig(world: Existing) -> str:
    """Return the API server's kubeconfig with a second context."""
    document = yaml.safe_load(world.api.kubeconfig())
    document["users"].append({"name": "other", "user": {"token": OTHERS}})
    document["contexts"].append({"name": "other", "context": {"cluster": "here", "user": "other"}})
    return yaml.safe_dump(document)


def encrypt(stack: Stack, key: str, value: str) -> None:
    """Set an encrypted value as a user does."""
    command_line = ("pulumi", "config", "set", "--secret", "--path", key, "--stack", "dev")
    subprocess.run(command_line, cwd=stack.folder, env=stack.environment, input=value, text=True, check=True)


def in_aws(stack: Stack, text: str) -> str:
    """Keep a secret in AWS Secrets Manager, and return its ARN."""
    secrets = boto3.client(
        "secretsmanager",
        region_name="us-east-1",
        endpoint_url=stack.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",  # moto takes any
    )
    return str(secrets.create_secret(Name="marked", SecretString=text)["ARN"])


def in_another_stack(stack: Stack, text: str) -> str:
    """Keep a secret as the output of another project's stack, and return the output's full name."""
    other = dataclasses.replace(stack, folder=stack.folder.parent / "other")
    other.folder.mkdir()
    (other.folder / "__main__.py").write_text(OTHER_PROGRAM)
    project = yaml.safe_load((stack.folder / "Pulumi.yaml").read_text()) | {"name": "other"}
    (other.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
    other.run("stack", "init", "dev")
    encrypt(other, "url", text)
    other.up()
    return "organization/other/dev#url"


def interrupt(stack: Stack) -> None:
    """Change the state as if a run was killed after the cluster had made the pull secret."""
    file = stack.folder.parent / "stacks" / ".pulumi" / "stacks" / "ejemplo-django" / "dev.json"
    kept = json.loads(file.read_text())
    latest = kept["checkpoint"]["latest"]
    (lost,) = (each for each in latest["resources"] if each["urn"].endswith("::regcred-secret"))
    latest["resources"].remove(lost)
    for key in ("id", "outputs"):
        del lost[key]
    latest["pending_operations"] = [{"type": "creating", "resource": lost}]
    file.write_text(json.dumps(kept))


def recovered(stack: Stack) -> None:
    """Interrupt a run, and recover."""
    interrupt(stack)
    recover.run(stack="dev", yes=True)


@pytest.fixture
def stack(world: Existing, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """Return the stack, and let the commands run in its project and environment."""
    monkeypatch.setattr(command, "PROJECT", world.stack.folder)
    for name, value in world.stack.environment.items():
        monkeypatch.setenv(name, value)
    return world.stack


def told(run: Callable[[], object], capfd: pytest.CaptureFixture[str]) -> str:
    """Return all that a command writes, as `python -m ops` shows it."""
    ended: object = ""
    try:
        ended = run()
    except (OpsError, typer.Exit) as error:
        ended = error
    said = capfd.readouterr()
    return f"{said.out}{said.err}{ended}"


def files(stack: Stack) -> str:
    """Return the contents of all files of the project, the states and the engine's home."""
    every = (each for part in ("project", "stacks", "pulumi") for each in (stack.folder.parent / part).rglob("*"))
    return "\n".join(each.read_text(errors="replace") for each in every if each.is_file())


UP = ("up", "--yes", "--skip-preview", "--diff", "--stack", "dev")


def test_no_command_shows_or_writes_a_secret_or_has_one_on_a_command_line(
    stack: Stack, capfd: pytest.CaptureFixture[str]
) -> None:
    commands: dict[str, Callable[[], object]] = {
        "up": lambda: pulumi.watched(*UP),
        "recover": lambda: recovered(stack),
        "preview": lambda: preview.run(stack=["dev"]),
        "doctor": lambda: doctor.run("dev"),
        "drift": lambda: drift.run(stack="dev"),
        "refresh": lambda: pulumi.watched("refresh", "--yes", "--skip-preview", "--run-program", "--stack", "dev"),
        "deploy": lambda: deploy.run(stack="dev", within=0, address="127.0.0.1"),
        "down": lambda: destroy.run(stack="dev", confirm="another"),
        "audit": lambda: destroy.audit("dev"),
        "export": lambda: "".join(stack.run(*each) for each in (("stack", "export"), ("config",), ("stack",))),
    }
    with process_list() as processes:
        said = {name: told(run, capfd) for name, run in commands.items()}
    made = stack.run("stack", "--show-urns")
    assert ("::regcred-secret" in made, "::site-secrets" in made) == (True, True)
    assert "dev is whole again" in said["recover"]
    assert {name: found(text) for name, text in said.items()} == {name: set() for name in commands}
    assert found(files(stack)) == set()
    assert any("pulumi up" in each for each in processes)
    # `docker login` takes the user name as an argument, and only the password from its stdin.
    assert found("\n".join(processes)) <= {"registry.username"}
    # The state has all of them, but other stacks can read only the login to this cluster. (The engine keeps the whole
    # configuration for dynamic providers, encrypted as it is.)
    assert found(stack.run("stack", "export", "--show-secrets")) >= set(MARKS)
    assert found(stack.run("stack", "output", "--show-secrets")) == {"cluster.kubeconfig"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("registry.username", f"{USER}: none"),
        ("cluster.kubeconfig", f"users: [{{{{user: {{{{token: {MARKS['cluster.kubeconfig']}"),
        ("cluster.kubeconfig", "{kubeconfig}"),
        ("registry.password", ""),
    ],
    ids=["a user that is none", "a kubeconfig that is none", "a token of two lines", "in plain text beside another"],
)
def test_nor_does_what_refuses_one(
    world: Existing, stack: Stack, key: str, value: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file, token = stack.folder / "Pulumi.dev.yaml", MARKS["cluster.kubeconfig"]
    kept = file.read_text()
    if value:
        encrypt(stack, key, value.format(kubeconfig=kubeconfig(world).replace(token, f'"{token}\\nmore"')))
    else:
        document = yaml.safe_load(kept)
        document["config"]["ejemplo-django:registry"]["password"] = MARKS[key]
        file.write_text(yaml.safe_dump(document))
    # No `up`: the engine keeps the configuration of each `up`, with plain-text values in plain text.
    commands: tuple[Callable[[], object], ...] = (
        lambda: pulumi.watched("preview", "--stack", "dev"),
        lambda: preview.run(stack=["dev"]),
        lambda: doctor.run("dev"),
    )
    try:
        said = [told(each, capfd) for each in commands]
    finally:
        file.write_text(kept)
    assert [each for each in said if key.rpartition(".")[2] not in each] == []
    assert found("".join(said)) == set()
    assert found(files(stack)) == set()


@pytest.mark.parametrize("kind", LOGINS)
def test_nor_does_a_cluster_that_does_not_take_a_login(
    world: Existing, stack: Stack, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    document = yaml.safe_load(kubeconfig(world))
    document["users"][0]["user"] = LOGINS[kind]
    encrypt(stack, "cluster.kubeconfig", yaml.safe_dump(document))
    with process_list() as processes:
        said = told(lambda: pulumi.watched(*UP), capfd) + told(lambda: preview.run(stack=["dev"]), capfd)
    assert "does not know the kubeconfig's user" in said
    assert found(said) == set()
    assert found(files(stack)) == set()
    assert found("\n".join(processes)) <= {"registry.username"}
