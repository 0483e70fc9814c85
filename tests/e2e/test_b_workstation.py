"""The commands of a workstation on the embedded cloud: `doctor`, `open`, `down` and `audit`."""

import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.ownership import OWNER
from sandbox import addresses
from tests.e2e import cloud
from tests.e2e.stack import Done, Stack, edited

OPERATIONS = ("ops", "sandbox/requirements.txt", "requirements.txt", "requirements-dev.txt", "constraints.txt")
"""What `python -m ops` needs besides the program."""


def ops(stack: Stack, *arguments: str, check: bool = True, **variables: str) -> Done:
    """Run `python -m ops ...` in the stack's folder, with `variables` added to the environment."""
    changed = [f"{name}={value}" for name, value in variables.items()]
    return stack.run("/usr/bin/env", *changed, sys.executable, "-m", "ops", *arguments, check=check)


@pytest.fixture
def copy(stack: Stack, tmp_path: Path) -> Stack:
    """Copy the program and `ops` to another folder, for the same stack."""
    return with_operations(stack.copied(tmp_path / "program"))


def with_operations(copy: Stack) -> Stack:
    for part in OPERATIONS:
        source, to = copy.layout.checkout / part, copy.folder / part
        to.parent.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, to)
    return copy


# The doctor.


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line of the doctor's report, with the lines beneath it."""

    wrong: bool
    said: str
    """Includes the command that fixes it."""


def findings(stack: Stack, **variables: str) -> tuple[int, dict[str, Finding]]:
    """Run the doctor; return its exit code, and its findings by check."""
    done = ops(stack, "doctor", "--stack", stack.name, check=False, **variables)
    parts = re.split(r"^(ok|wrong) +(\S+) ", done.out, flags=re.MULTILINE)
    found = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return done.code, {check: Finding(wrong=state == "wrong", said=said) for state, check, said in found}


def test_there_is_nothing_to_fix_on_a_sandbox_that_runs(stack: Stack) -> None:
    code, found = findings(stack)
    assert code == 0, found
    looked_at = [each for each in found if each != "aws"]  # AWS's command line, which only EKS needs
    assert looked_at == ["pulumi", "plugins", "configuration", "Docker", "registry", "kubectl", "AWS", "preview"]
    assert addresses.REGISTRY in found["registry"].said


ENVIRONMENTS: dict[str, tuple[dict[str, str], str, str]] = {
    "no pulumi is on PATH": ({"PATH": "/usr/bin:/bin"}, "pulumi", "get.pulumi.com"),
    "the Docker daemon does not run": ({"DOCKER_HOST": "unix:///none.sock"}, "Docker", "DOCKER_HOST"),
    "the credentials are none": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/none", "HOME": "/none"},
        "AWS",
        "aws configure",
    ),
}


@pytest.mark.parametrize("fault", ENVIRONMENTS)
def test_a_fault_of_the_machine_is_named(stack: Stack, fault: str) -> None:
    variables, check, fix = ENVIRONMENTS[fault]
    code, found = findings(stack, **variables)
    assert code == 1
    assert found[check].wrong, found
    assert fix in found[check].said


# The setting in the stack file, the check that finds it wrong, and words of the finding.
SETTINGS: dict[str, tuple[tuple[str, str], str, str]] = {
    "the configuration is refused": (("image.tag", "latest"), "preview", 'image.tag: found "latest"'),
    "AWS does not answer": (("aws.endpoint", "http://127.0.0.1:9"), "AWS", "curl --verbose http://127.0.0.1:9"),
    "the registry is not there": (("registry.server", "127.0.0.1:9"), "registry", "127.0.0.1:9"),
    "the daemon is of another architecture": (("image.platform", "linux/arm64"), "Docker", "--install arm64"),
}


@pytest.mark.parametrize("fault", SETTINGS)
def test_a_fault_of_the_settings_is_named(copy: Stack, fault: str) -> None:
    (key, value), check, said = SETTINGS[fault]
    copy.pulumi("config", "set", "--path", key, value)
    code, found = findings(copy)
    assert code == 1
    assert found[check].wrong, found
    assert said in found[check].said


def test_a_wrong_password_of_the_registry_is_named_and_not_shown(copy: Stack, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not-the-password")
    copy.pulumi("config", "set", "--path", "registry.passwordFile", str(tmp_path / "password"), "--plaintext")
    code, found = findings(copy)
    assert code == 1
    assert "pulumi config set --secret --path registry.password" in found["registry"].said
    assert not any("not-the-password" in each.said for each in found.values())


@contextmanager
def reader(stack: Stack, folder: Path) -> Iterator[Path]:
    """Create an account with Kubernetes' role `view`, which changes nothing; yield its kubeconfig."""
    stack.kubectl("create", "serviceaccount", "reader")
    try:
        stack.kubectl("create", "clusterrolebinding", "reader", "--clusterrole=view", "--serviceaccount=default:reader")
        file = folder / "reader"
        file.write_text(stack.layout.kubeconfig.read_text())
        token = stack.kubectl("create", "token", "reader").strip()
        mine = f"--kubeconfig={file}"
        stack.kubectl("config", "set-credentials", "reader", f"--token={token}", mine)
        stack.kubectl("config", "set-context", "--current", "--user=reader", mine)
        yield file
    finally:
        stack.kubectl("delete", "serviceaccount", "reader")
        stack.kubectl("delete", "clusterrolebinding", "reader", "--ignore-not-found")


@pytest.mark.not_on_eks(
    "a kubeconfig of somebody else's is for the driver `existing`; on EKS it is made of who deploys"
)
def test_the_rights_that_a_user_lacks_are_named_and_the_command_grants_them(copy: Stack, tmp_path: Path) -> None:
    with reader(copy, tmp_path) as file:
        copy.pulumi("config", "set", "--path", "cluster.kubeconfigFile", str(file))
        code, found = findings(copy)
        assert code == 1
        assert "create, patch, delete deployments" in found["preview"].said
        [told] = re.findall(r"kubectl create rolebinding .*", found["preview"].said)
        command, *arguments = shlex.split(told)
        copy.run(command, *arguments)
        try:
            assert not findings(copy)[1]["preview"].wrong
        finally:
            copy.kubectl("delete", "rolebinding", "ejemplo-django-deployer")


def test_a_stack_that_is_not_there_is_named_with_what_makes_it(stack: Stack) -> None:
    done = ops(stack, "doctor", "--stack", "nowhere", check=False)
    assert done.code == 1
    assert "pulumi stack init nowhere" in done.out


# After `up`.


def test_open_gives_the_url_to_the_browser(stack: Stack) -> None:
    url = str(stack.outputs()["url"])
    assert ops(stack, "open", "--stack", stack.name, BROWSER="echo opened %s").out.count(url) == 2


# The end of a stack.

SECOND = "second.example.test"
LISTENER = {"Protocol": "tcp", "LoadBalancerPort": 443, "InstancePort": 30000}


@pytest.fixture
def second(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Deploy another stack of the program in its own namespace of the same cluster; destroy it at the end."""
    second = with_operations(stack.beside(tmp_path / "second", name="second"))
    edited(
        second.folder / "Pulumi.second.yaml",
        {
            "local.example.test": SECOND,
            "stack: local": "stack: second",
        },
    )
    try:
        second.pulumi("stack", "init", "--no-select")
        second.pulumi("config", "set", "--path", "namespace.name", "second")
        second.change("up")
        yield second
    finally:
        second.change("destroy", check=False)
        second.pulumi("stack", "rm", "--yes", "--force", check=False)


def deployed(stack: Stack) -> bool:
    return bool(stack.resources())


def test_down_says_what_goes_wants_the_name_and_finds_what_is_left(second: Stack) -> None:
    unconfirmed = ops(second, "down", "--stack", "second", check=False)
    assert unconfirmed.code == 1
    assert "1 Deployment" in unconfirmed.out
    assert "Add --confirm second" in unconfirmed.err

    misspelt = ops(second, "down", "--stack", "second", "--confirm", "local", check=False)
    assert misspelt.code == 1

    role = {"RoleArn": "arn:aws:iam::000000000000:role/other", "RoleSessionName": "other"}
    other = cloud.client("sts").assume_role(**role)["Credentials"]
    variables = {
        "AWS_ACCESS_KEY_ID": other["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": other["SecretAccessKey"],
        "AWS_SESSION_TOKEN": other["SessionToken"],
    }
    elsewhere = ops(second, "down", "--stack", "second", "--confirm", "second", check=False, **variables)
    assert elsewhere.code == 1
    assert "these credentials are of 000000000000" in elsewhere.err
    assert deployed(second)

    # A load balancer and a zone as if from before the stack, and a certificate as if a killed run had left it.
    elb, acm, route53 = cloud.client("elb"), cloud.client("acm"), cloud.client("route53")
    elb.create_load_balancer(
        LoadBalancerName="before",
        Listeners=[LISTENER],
        AvailabilityZones=[addresses.ZONE],
        Tags=[{"Key": "kubernetes.io/service-name", "Value": "second/ejemplo-django-service"}],
    )
    zone = route53.create_hosted_zone(Name=SECOND, CallerReference="before")["HostedZone"]["Id"]
    tags = [{"Key": OWNER, "Value": "ejemplo-django/second"}]
    forgotten = acm.request_certificate(DomainName=f"ejemplo-django.{SECOND}", Tags=tags)["CertificateArn"]
    try:
        down = ops(second, "down", "--stack", "second", "--confirm", "second", check=False)
        assert down.code == 1
        assert not deployed(second)
        left = [line.removeprefix("Left: ") for line in down.out.splitlines() if line.startswith("Left: ")]
        assert left == [forgotten]
        assert down.err.rstrip().endswith(".venv/bin/python -m ops audit --stack second")

        acm.delete_certificate(CertificateArn=forgotten)
        assert "Nothing is left" in ops(second, "audit", "--stack", "second").out
    finally:
        elb.delete_load_balancer(LoadBalancerName="before")
        route53.delete_hosted_zone(Id=zone)
