"""At the workstation: what the doctor finds, what a new stack is, and the end of a stack, on the embedded cloud."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import addresses, environment, logins
from sandbox.services import images
from tests.e2e import cloud
from tests.e2e.stack import Done, Stack, edited

pytestmark = pytest.mark.timeout(300, func_only=True)

OPERATIONS = ("ops", "sandbox/requirements.txt", "requirements.txt", "requirements-dev.txt", "constraints.txt")
"""What `python -m ops` needs besides the program."""


def ops(stack: Stack, *arguments: str, check: bool = True, **variables: str) -> Done:
    """Run `python -m ops ...` in the stack's folder, with other variables where they are given."""
    changed = [f"{name}={value}" for name, value in variables.items()]
    return stack.run("/usr/bin/env", *changed, sys.executable, "-m", "ops", *arguments, check=check)


@pytest.fixture
def copy(stack: Stack, tmp_path: Path) -> Stack:
    """The program and its operations in another folder, for the same stack."""
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


def findings(stack: Stack, **variables: str) -> tuple[int, dict[str, dict[str, str]]]:
    """What the doctor ended with, and its findings by what was looked at."""
    done = ops(stack, "doctor", "--json", "--stack", stack.name, check=False, **variables)
    return done.code, {each["check"]: each for each in json.loads(done.out)}


def test_there_is_nothing_to_mend_on_a_sandbox_that_runs(stack: Stack) -> None:
    code, found = findings(stack)
    assert code == 0, found
    looked_at = {"Python", "packages", "Pulumi", "configuration", "Docker", "registry", "AWS", "cluster", "rights"}
    assert {name for name in looked_at if found[name]["state"] == "ok"} == looked_at
    assert {each["state"] for each in found.values()} <= {"ok", "not needed"}
    assert addresses.REGISTRY in found["registry"]["found"]


ENVIRONMENTS: dict[str, tuple[dict[str, str], str, str, str]] = {
    "no pulumi is on PATH": ({"PATH": "/usr/bin:/bin"}, "Pulumi", "missing", "get.pulumi.com"),
    "the Docker daemon does not run": ({"DOCKER_HOST": "unix:///none.sock"}, "Docker", "missing", "DOCKER_HOST"),
    "the credentials are none": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_CONFIG_FILE": "/none", "HOME": "/none"},
        "AWS",
        "missing",
        "aws configure",
    ),
}


@pytest.mark.parametrize("fault", ENVIRONMENTS)
def test_a_fault_of_the_machine_is_named(stack: Stack, fault: str) -> None:
    variables, check, state, mend = ENVIRONMENTS[fault]
    code, found = findings(stack, **variables)
    assert code == 1
    assert found[check]["state"] == state, found[check]
    assert mend in found[check]["mend"]


# What is set in the stack's file, then the finding that names it, its state, and what mends it.
SETTINGS: dict[str, tuple[tuple[str, str], str, str, str]] = {
    "the configuration is refused": (("image.tag", "latest"), "configuration", "wrong", "--path image.tag"),
    "AWS does not answer": (("aws.endpoint", "http://127.0.0.1:9"), "AWS", "missing", "http://127.0.0.1:9"),
    "the registry is not there": (("registry.server", "127.0.0.1:9"), "registry", "missing", "127.0.0.1:9/v2/"),
    "the daemon is of another architecture": (("image.platform", "linux/arm64"), "Docker", "wrong", "--install arm64"),
    "the nodes are of another architecture": (
        ("image.platform", "linux/arm64"),
        "nodes",
        "wrong",
        "image.platform linux/amd64",
    ),
    "the namespace is missing": (("namespace", "nowhere"), "namespace", "missing", "kubectl create namespace nowhere"),
}


@pytest.mark.parametrize("fault", SETTINGS)
def test_a_fault_of_the_settings_is_named(copy: Stack, fault: str) -> None:
    (key, value), check, state, mend = SETTINGS[fault]
    copy.pulumi("config", "set", "--path", key, value)
    code, found = findings(copy)
    assert code == 1
    assert found[check]["state"] == state, found[check]
    assert mend in found[check]["mend"]


def test_a_wrong_password_of_the_registry_is_named_and_not_shown(copy: Stack, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not-the-password")
    copy.pulumi("config", "set", "--path", "registry.passwordFile", str(tmp_path / "password"), "--plaintext")
    code, found = findings(copy)
    assert code == 1
    assert found["registry"]["state"] == "wrong"
    assert "not-the-password" not in json.dumps(found)


def test_a_cluster_that_does_not_answer_is_named(copy: Stack, tmp_path: Path) -> None:
    somewhere = tmp_path / "kubeconfig"
    somewhere.write_text(copy.layout.kubeconfig.read_text().replace(f"{addresses.NODE_ADDRESS}:6443", "127.0.0.1:9"))
    copy.pulumi("config", "set", "--path", "cluster.kubeconfigFile", str(somewhere))
    code, found = findings(copy)
    assert code == 1
    assert found["cluster"]["state"] == "missing"


@contextmanager
def reader(stack: Stack, folder: Path) -> Iterator[Path]:
    """The kubeconfig of somebody who may look at everything and change nothing."""
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


def test_the_rights_that_a_user_lacks_are_named_and_the_command_grants_them(copy: Stack, tmp_path: Path) -> None:
    with reader(copy, tmp_path) as file:
        copy.pulumi("config", "set", "--path", "cluster.kubeconfigFile", str(file))
        code, found = findings(copy)
        assert code == 1
        assert found["rights"]["state"] == "missing"
        assert "create, patch, delete deployments" in found["rights"]["found"]
        command, *arguments = shlex.split(found["rights"]["mend"])
        copy.run(command, *arguments)
        try:
            assert findings(copy)[1]["rights"]["state"] == "ok"
        finally:
            copy.kubectl("delete", "rolebinding", "ejemplo-django-deployer")


def test_a_stack_that_is_not_there_is_named_with_what_makes_it(stack: Stack) -> None:
    done = ops(stack, "doctor", "--json", "--stack", "nowhere", check=False)
    found = {each["check"]: each for each in json.loads(done.out)}
    assert done.code == 1
    assert found["configuration"]["mend"] == "make new-stack STACK=nowhere"


# After `up`.


def test_the_summary_has_the_url_and_what_shows_the_logs(stack: Stack) -> None:
    said = ops(stack, "summary", "--stack", stack.name).out
    assert said.startswith(str(stack.outputs()["url"]))
    (logs,) = [line.removeprefix("  logs") for line in said.splitlines() if line.startswith("  logs")]
    command, *arguments = shlex.split(logs)
    arguments.remove("--follow")
    assert "GET" in stack.run(command, *arguments).out


def test_open_gives_the_url_to_the_browser(stack: Stack) -> None:
    url = str(stack.outputs()["url"])
    assert ops(stack, "open", "--stack", stack.name, BROWSER="echo opened %s").out.count(url) == 2


# A new stack.


def test_a_new_stack_can_be_previewed_with_the_settings_that_it_was_given(copy: Stack, tmp_path: Path) -> None:
    settings = {
        "domain": "new.example.test",
        "cluster.driver": "existing",
        "cluster.name": "new.example.test",
        "cluster.kubeconfigFile": str(copy.layout.kubeconfig),
        "registry.server": addresses.REGISTRY,
        "registry.username": logins.REGISTRY_USER,
        "registry.email": "sandbox@example.test",
    }
    given = [f"--set={key}={value}" for key, value in settings.items()]
    states = f"file://{tmp_path / 'states'}"
    password = cloud.password(copy.layout)
    said = ops(copy, "new-stack", "--stack=new", f"--backend={states}", *given, REGISTRY_PASSWORD=password).out
    assert f"pulumi login '{states}'" in said
    assert password not in (copy.folder / "Pulumi.new.yaml").read_text()

    def pulumi(*arguments: str) -> str:
        return copy.run("/usr/bin/env", f"PULUMI_BACKEND_URL={states}", "pulumi", *arguments, "--stack=new").out

    pulumi("config", "set", "--path", "aws.endpoint", addresses.AWS_ENDPOINT)
    pulumi("config", "set", "--path", "image.base", images.BASE_IMAGE)
    planned = json.loads(pulumi("preview", "--json"))["changeSummary"]
    assert set(planned) == {"create"}


# The end of a stack.

SECOND = "second.example.test"
LISTENER = {"Protocol": "tcp", "LoadBalancerPort": 443, "InstancePort": 30000}


@pytest.fixture
def second(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """Another stack of the same program in the same cluster, deployed in a namespace of its own."""
    second = with_operations(stack.copied(tmp_path / "second", name="second"))
    edited(
        second.folder / "Pulumi.second.yaml",
        {
            "ejemplo-django:domain: local.example.test": f"ejemplo-django:domain: {SECOND}",
            "stack: local": "stack: second",
        },
    )
    second.kubectl("create", "namespace", "second")
    try:
        second.pulumi("stack", "init", "--no-select")
        second.pulumi("config", "set", "namespace", "second")
        second.change("up")
        yield second
    finally:
        second.change("destroy", check=False)
        second.pulumi("stack", "rm", "--yes", "--force", check=False)
        second.kubectl("delete", "namespace", "second")


def deployed(stack: Stack) -> bool:
    return bool(stack.resources())


def test_down_says_what_is_lost_wants_the_name_and_finds_what_is_left(second: Stack) -> None:
    unconfirmed = ops(second, "down", "--stack", "second", check=False)
    assert unconfirmed.code == 1
    assert "1 Deployment" in unconfirmed.out
    assert f"with the zone {SECOND}: 2 records" in unconfirmed.out
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

    # What a controller, a colleague and a run that was killed may leave.
    names = {
        "kubernetes.io/cluster/local.example.test": "owned",
        "kubernetes.io/service-name": "second/ejemplo-django-service",
    }
    elb, route53 = cloud.client("elb"), cloud.client("route53")
    elb.create_load_balancer(
        LoadBalancerName="left",
        Listeners=[LISTENER],
        AvailabilityZones=[addresses.ZONE],
        Tags=[{"Key": key, "Value": value} for key, value in names.items()],
    )
    zone = route53.create_hosted_zone(Name=SECOND, CallerReference="left")["HostedZone"]["Id"]
    record = {"Name": f"old.{SECOND}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)
    second.kubectl("create", "secret", "generic", "ejemplo-django-key-left", "--namespace=second")

    down = ops(second, "down", "--stack", "second", "--confirm", "second", check=False)
    assert down.code == 1
    assert not deployed(second)
    left = [line.removeprefix("Left: ") for line in down.out.splitlines() if line.startswith("Left: ")]
    assert [each.rpartition(" (")[0] or each for each in left] == [
        "classic balancer left",
        f"record old.{SECOND}. A in the hosted zone {zone.removeprefix('/hostedzone/')}",
        f"hosted zone {SECOND}",
        "Secret second/ejemplo-django-key-left in the cluster local.example.test",
    ]

    remove(second, down)
    assert "Nothing is left" in ops(second, "audit", "--stack", "second").out

    # And what else the audit knows to remove.
    ec2, acm, s3 = cloud.client("ec2"), cloud.client("acm"), cloud.client("s3")
    tags = [{"Key": key, "Value": value} for key, value in {"project": "ejemplo-django", "stack": "second"}.items()]
    acm.request_certificate(DomainName=f"ejemplo-django.{SECOND}", Tags=tags)
    owned = [{"Key": "kubernetes.io/cluster/local.example.test", "Value": "owned"}]
    for_service = "Security group for Kubernetes ELB left (second/ejemplo-django-service)"
    group = [{"ResourceType": "security-group", "Tags": owned}]
    ec2.create_security_group(GroupName="left", Description=for_service, TagSpecifications=group)
    s3.create_bucket(Bucket=f"clusters.{SECOND}")
    s3.put_bucket_versioning(Bucket=f"clusters.{SECOND}", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket=f"clusters.{SECOND}", Key="config", Body=body)
    s3.delete_object(Bucket=f"clusters.{SECOND}", Key="config")
    audited = ops(second, "audit", "--stack", "second", check=False)
    assert audited.code == 1
    assert [line.split()[1] for line in audited.out.splitlines() if line.startswith("Left: ")] == [
        "security",
        "certificate",
        "bucket",
    ]
    remove(second, audited)
    assert "Nothing is left" in ops(second, "audit", "--stack", "second").out


def remove(stack: Stack, audited: Done) -> None:
    """Run every command that the audit names, as the user pastes it."""
    lines, variables = audited.out.splitlines(), os.environ | environment.variables(stack.layout)
    for command in [lines[index + 1].strip() for index, line in enumerate(lines) if line.startswith("Left: ")]:
        subprocess.run(["sh", "-c", command], check=True, env=variables)
