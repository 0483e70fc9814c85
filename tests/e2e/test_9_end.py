"""The end: `destroy` leaves nothing in the cloud, `down` nothing on the host, and `up` works after each."""

import socket
from dataclasses import dataclass
from typing import Any

import docker
import psutil
import pytest

from sandbox.layout import Layout
from sandbox.services import images
from tests.e2e import cloud
from tests.e2e.machine import alive, inhabitants, living_in, namespaces, traces
from tests.e2e.session import FirstUp, Times
from tests.e2e.site import Site, addresses_of
from tests.e2e.stack import Change, Stack, declared
from tests.e2e.waiting import eventually


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """A `destroy`, and what was there before it."""

    resources: set[str]
    address: str
    change: Change


@pytest.fixture(scope="module")
def destroyed(stack: Stack, site: Site) -> Destroyed:
    """Destroy the stack."""
    resources, [address] = stack.resources(), addresses_of(site.host)
    return Destroyed(resources=resources, address=address, change=stack.change("destroy"))


def test_destroy_deletes_every_resource(destroyed: Destroyed, stack: Stack) -> None:
    assert destroyed.change.operations == dict.fromkeys(declared(destroyed.resources), "delete")
    assert stack.resources() == set()


@pytest.mark.parametrize(
    "kind",
    [
        "aws:acm/certificateValidation:CertificateValidation",
        "aws:acm/certificate:Certificate",
        "aws:route53/zone:Zone",
        "kubernetes:apps/v1:Deployment",
    ],
)
def test_the_service_goes_before_what_its_balancer_needs(destroyed: Destroyed, kind: str) -> None:
    order = [name.partition(" ")[0] for name, _ in destroyed.change.steps]
    assert order.index("kubernetes:core/v1:Service") < order.index(kind)


def test_nothing_of_it_is_left_in_aws(destroyed: Destroyed) -> None:
    def empty() -> None:
        left: dict[str, Any] = cloud.aws()
        groups = left.pop("security groups")
        assert left == {what: [] for what in left} | {"network interfaces": [_own_interface()]}
        assert not [group for group in groups if "k8s-elb" in group]

    # Like ELB itself, the data plane follows the API: it releases its address a moment later.
    eventually(empty)


def _own_interface() -> str:
    """Return the ID of the node's network interface."""
    [reservation] = cloud.client("ec2").describe_instances()["Reservations"]
    [instance] = reservation["Instances"]
    [interface] = instance["NetworkInterfaces"]
    return str(interface["NetworkInterfaceId"])


def test_nothing_of_it_is_left_in_the_cluster(destroyed: Destroyed, stack: Stack) -> None:
    def empty() -> None:
        kinds = "deployments,replicasets,pods,services,secrets,poddisruptionbudgets"
        found = {each["metadata"]["name"] for each in stack.objects(kinds)["items"]}
        assert found == {"kubernetes"}  # the API server's own Service

    eventually(empty)


def test_nobody_answers_at_the_balancers_address(destroyed: Destroyed) -> None:
    def closed() -> None:
        with socket.socket() as visitor:
            visitor.settimeout(5)
            assert visitor.connect_ex((destroyed.address, 443)) != 0

    eventually(closed)


@pytest.mark.usefixtures("destroyed")
def test_a_first_deploy_on_a_warm_sandbox_takes_under_a_minute(
    stack: Stack, layout: Layout, site: Site, times: Times
) -> None:
    _forget_builds(layout)
    change = stack.change("up")
    assert eventually(site.page).status == 200
    assert set(change.operations.values()) == {"create"}
    times.hold("the first deploy on a warm sandbox", change.done.seconds, limit=60)


def _forget_builds(layout: Layout) -> None:
    """Remove built images and build cache from the daemon, not the images of its start: a build begins at the base."""
    client = docker.DockerClient(base_url=f"unix://{layout.docker_socket}", timeout=120)
    try:
        for image in client.images.list():
            if not {images.BASE_IMAGE, images.PAUSE_IMAGE} & set(image.tags):
                client.images.remove(str(image.id), force=True)
        client.images.prune(filters={"dangling": True})
        client.api.prune_builds()
        assert {tag for image in client.images.list(all=True) for tag in image.tags} == {
            images.BASE_IMAGE,
            images.PAUSE_IMAGE,
        }
    finally:
        client.close()


def test_down_leaves_nothing_but_the_cache(stack: Stack, layout: Layout, first_up: FirstUp) -> None:
    inside = inhabitants(layout)
    spaces = namespaces(inside) - namespaces([psutil.Process()])
    assert len(inside) > 20
    assert living_in(spaces)
    assert traces(layout).since(first_up.before)
    cache = sorted(layout.cache.rglob("*"))
    stack.sandbox("down")
    assert alive(inside) == []
    assert living_in(spaces) == []
    assert not layout.root.exists()
    assert traces(layout).since(first_up.before) == {}
    assert sorted(layout.cache.rglob("*")) == cache != []


@pytest.mark.usefixtures("first_up")
def test_up_works_again_after_down(stack: Stack, site: Site, times: Times) -> None:
    done = stack.sandbox("up")
    assert eventually(site.page).status == 200
    assert stack.plan("--expect-no-changes").steps == []
    times.hold("`make up` after `make down`", done.seconds, limit=120)
