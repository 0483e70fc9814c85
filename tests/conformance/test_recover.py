"""`ops recover` finds every resource in AWS that an interrupted run created, and imports it unchanged."""

import json
from collections.abc import Iterator

import pytest

from infra.guards import marked_in_aws
from ops import command, pulumi, recover
from tests.conformance import stack as stacks
from tests.conformance.stack import BUCKET, Stack
from tests.eks import cloud as testing
from tests.eks.cloud import Cloud
from tests.eks.test_eks import CLUSTER as EKS

_PROGRAM = f"""
import pulumi_aws as aws
from infra import config, drivers, providers
from infra.alias import Alias
from infra.balancer_kind import BalancerKind
from infra.certificate import Certificate
from infra.guards import interrupted
from infra.registry import EcrRepository
from infra.settings.registry import EcrRegistry
from infra.zone import Zone

settings = config.load()
interrupted.guard()
in_aws = providers.in_aws(settings=settings.aws, domain=settings.domain)
# Not the StateBucket: moto takes its policy, which is against plain http, for one against everybody.
bucket = aws.s3.Bucket("state", bucket="{BUCKET}", opts=in_aws)
zone = Zone("zone", domain=settings.domain, settings=settings.zone, protect=False, opts=in_aws)
Certificate("web", hosts=settings.hosts, zone_id=zone.id, opts=in_aws)
Alias("web", zone_id=zone.id, hosts=settings.hosts, target="192.0.2.1", kind=BalancerKind.NONE, opts=in_aws)
EcrRepository("registry", settings=EcrRegistry(driver="ecr"), path="team/site", protect=False, opts=in_aws)
drivers.declare(
    settings.cluster, aws=settings.aws, bucket=bucket.bucket, zone_id=zone.id, protect=False, opts=in_aws
)
"""
"""A program with everything in AWS that cannot be found by its name alone."""

MADE_AGAIN = {
    "AccessPolicyAssociation",
    "CertificateValidation",
    "LifecyclePolicy",
    "RolePolicyAttachment",
}
"""The types that are not imported: creating one again yields the same one."""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with testing.cloud(tmp_path_factory.mktemp("cloud")) as made:
        made.client("iam").create_role(RoleName="ops", AssumeRolePolicyDocument="{}")
        yield made


@pytest.fixture(scope="module")
def stack(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    access = {"AWS_ACCESS_KEY_ID": testing.KEY, "AWS_SECRET_ACCESS_KEY": testing.SECRET}
    home = tmp_path_factory.mktemp("stack")
    made = stacks.project(home, endpoint=cloud.url, program=_PROGRAM, variables=access)
    made.configure(**EKS)
    made.up()
    return made


@pytest.fixture(autouse=True)
def _in_its_folder(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(command, "PROJECT", stack.folder)


def test_everything_in_aws_is_taken_over_as_it_is(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _ids(stack)
    _lose(stack, pending=True)
    for refused in (stack.run("preview", code=1), stack.up(code=1)):
        assert ".venv/bin/python -m ops recover --stack dev," in refused
    # Interrupt the recovery after it has imported everything, and before it has refreshed anything.
    with monkeypatch.context() as patched:
        patched.setattr(pulumi, "watched", _end)
        with pytest.raises(InterruptedError):
            recover.run(stack="dev", yes=True)
    assert ".venv/bin/python -m ops recover --stack dev," in stack.run("preview", code=1)
    recover.run(stack="dev", yes=True)

    exported = json.loads(stack.run("stack", "export"))["deployment"]
    assert not exported.get("pending_operations")
    after = _ids(stack)
    assert after == {urn: before[urn] for urn in after}
    again = {" ".join(urn.split("::")[-2:]).rpartition(":")[2] for urn in before.keys() - after.keys()}
    assert {each.partition(" ")[0] for each in again} == MADE_AGAIN
    changes = stack.changes()
    assert {name for name, change in changes.items() if change == "create"} == again
    assert set(changes.values()) == {"create", "update"}
    assert stack.changes() == {}
    assert _ids(stack).items() >= after.items()


def test_what_the_state_lost_is_not_made_twice_and_is_taken_over(stack: Stack) -> None:
    before = _ids(stack)
    _lose(stack, pending=False)
    refused = stack.up(code=1)
    while ".venv/bin/python -m ops recover --stack dev." in refused:
        had = len(_ids(stack))
        recover.run(stack="dev", yes=True)
        assert len(_ids(stack)) > had
        # The `up` creates what a second creation cannot double; after that, the next recovery can find more.
        process = stack.start("up", "--yes", "--skip-preview")
        refused, _ = process.communicate(timeout=240)
    assert process.returncode == 0, refused
    types = {urn: urn.split("::")[2].rpartition("$")[2] for urn in before}
    found_by_mark = {urn for urn, type_ in types.items() if type_ in marked_in_aws.TYPES}
    after = _ids(stack)
    assert {urn: after[urn] for urn in found_by_mark} == {urn: before[urn] for urn in found_by_mark}
    assert stack.changes() == {}


def test_after_a_destroy_all_of_it_is_made_anew(stack: Stack) -> None:
    before = _ids(stack)
    stack.run("destroy", "--yes", "--skip-preview")
    stack.up()
    assert _ids(stack).keys() == before.keys()


def _end(*_: str) -> None:
    raise InterruptedError


def _ids(stack: Stack) -> dict[str, str]:
    """Return the ids of the AWS resources in the state, by URN."""
    resources = json.loads(stack.run("stack", "export"))["deployment"]["resources"]
    return {each["urn"]: each["id"] for each in resources if each["type"].startswith("aws:")}


def _lose(stack: Stack, *, pending: bool) -> None:
    """Change the state as if a run was killed after AWS answered everything, and before any answer was recorded.

    Without `pending`, it has no pending operations, as after a plugin died. This edits the file of the state, since
    the engine does not import pending operations.
    """
    file = stack.folder.parent / "stacks" / ".pulumi" / "stacks" / "ejemplo-django" / "dev.json"
    kept = json.loads(file.read_text())
    latest = kept["checkpoint"]["latest"]
    made = [each for each in latest["resources"] if each["type"].startswith("aws:") and not each.get("external")]
    latest["resources"] = [each for each in latest["resources"] if each not in made]
    for each in made:
        # Dependencies go too: they are pending here, while a real interrupted creation has only finished ones.
        for key in ("id", "outputs", "dependencies", "propertyDependencies"):
            each.pop(key, None)
    latest["pending_operations"] = [{"type": "creating", "resource": each} for each in made if pending]
    file.write_text(json.dumps(kept))
