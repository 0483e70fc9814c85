"""Interruptions of every kind: following the screen's instructions succeeds, and nothing is lost, doubled or left.

`make crashes` kills at every mutating request. The order of these tests saves deployments: they build on each other.
"""

import time
from collections.abc import Iterator

import pytest

from tests import docker_servers
from tests.crashes import audit, sweep
from tests.crashes.sweep import (
    ANSWER,
    CTRL_C,
    CTRL_C_TWICE,
    DEPLOY,
    DESTROY,
    ENGINE,
    PLUGIN,
    RELEASE,
    SIGTERM,
    TREE,
    Point,
)
from tests.crashes.world import PATIENCE, World, world

pytestmark = docker_servers.there

KILLS = [
    (DEPLOY, "route53 CreateHostedZone", TREE),
    (RELEASE, "registry PUT manifests", ENGINE),
    (DESTROY, "route53 DeleteHostedZone", TREE),
    (DEPLOY, "acm RequestCertificate", ENGINE),
    (RELEASE, "kubernetes PATCH jobs/ejemplo-django-release", TREE),
    (DESTROY, "s3 DeleteBucket", ENGINE),
    (DEPLOY, "s3 CreateBucket", TREE),
    (DEPLOY, "kubernetes PATCH secrets/regcred", TREE),
    (RELEASE, "kubernetes PATCH deployments/ejemplo-django", ENGINE),
    (DEPLOY, "kubernetes PATCH services/ejemplo-django-service", TREE),
]
OTHERS = [
    (DEPLOY, "route53 ChangeResourceRecordSets NS", CTRL_C),
    (RELEASE, "kubernetes PATCH deployments/ejemplo-django", CTRL_C),
    (DEPLOY, "acm RequestCertificate", CTRL_C_TWICE),
    (DESTROY, "kubernetes DELETE services/ejemplo-django-service", SIGTERM),
    (DEPLOY, "route53 CreateHostedZone", PLUGIN),
    (DEPLOY, "acm RequestCertificate", PLUGIN),
    (DEPLOY, "kubernetes PATCH secrets/regcred", PLUGIN),
    (DEPLOY, "kubernetes PATCH deployments/ejemplo-django", PLUGIN),
    (RELEASE, "kubernetes PATCH jobs/ejemplo-django-release", PLUGIN),
    (DEPLOY, "acm RequestCertificate", ANSWER),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Make a world for the embedded cloud's stack, with nothing deployed."""
    with world(tmp_path_factory.mktemp("crashes")) as found:
        yield found


@pytest.mark.parametrize(("phase", "request_", "way"), [*KILLS, *OTHERS])
def test_an_interruption_costs_nothing(made: World, phase: str, request_: str, way: str) -> None:
    ended = sweep.interrupted(made, Point(phase=phase, request=request_), way)
    assert ended.came
    assert ended.faults == [], ended.done


@pytest.mark.parametrize(("server", "words"), [("aws", "aws.endpoint does not answer"), ("kubernetes", "cluster: ")])
def test_a_server_that_takes_connections_and_does_not_answer_is_told_of_and_nothing_is_lost(
    made: World, server: str, words: str
) -> None:
    if not made.deployed:
        sweep.recorded(made, DEPLOY)
    process = None
    try:
        with made.silence[server].kept():
            process = made.start("pulumi", "up", "--yes", "--skip-preview", "--non-interactive")
            ends = time.monotonic() + PATIENCE
            while words not in made.screen.read_text():
                assert time.monotonic() < ends, made.screen.read_text()
                time.sleep(0.2)
    finally:
        if process:
            made.end(process)
    screen, done = sweep.follow(made, "up")
    assert screen[-1] == "ok", done
    assert audit.faults(made) == []
