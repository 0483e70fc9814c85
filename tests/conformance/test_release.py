"""A release waits for another one that still runs, on a real API server: two never run at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pulumi
import pytest

from infra.app.release import alone
from tests.conformance import api_server
from tests.conformance.api_server import ApiServer
from tests.troubles import provoked

pytestmark = pytest.mark.usefixtures("kubectl")

JOBS = "/apis/batch/v1/namespaces/default/jobs"
LABEL = "site-release"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Run an API server without controllers: only the test changes a Job's status."""
    with api_server.running(tmp_path_factory.mktemp("cluster") / "api") as made:
        yield made


@pytest.fixture
def job(api: ApiServer) -> Iterator[str]:
    """Create a running Job, as left by an earlier `up`; yield its name."""
    container = {"name": "migrate", "image": "site"}
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
    labels = {"app": LABEL}
    api.post(JOBS, {"metadata": {"name": "site-release-1", "labels": labels}, "spec": spec})
    report(api, active=1)
    yield "site-release-1"
    api.delete(f"{JOBS}/site-release-1")


def report(api: ApiServer, **status: Any) -> None:
    """Write the status that the Job controller would write."""
    found = api.get(f"{JOBS}/site-release-1")
    api.put(f"{JOBS}/site-release-1/status", {**(found or {}), "status": status})


def test_it_waits_for_the_other_one_to_end(api: ApiServer, job: str) -> None:
    begun = threading.Event()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(alone, api.kubeconfig(), LABEL, "default", seconds=60, tell=lambda _: begun.set())
        assert begun.wait(30)
        assert not waiting.done()
        report(api, active=0)
        waiting.result(timeout=30)


def test_it_does_not_wait_for_ever_and_names_the_other_one(api: ApiServer, job: str) -> None:
    with pytest.raises(pulumi.RunError, match=rf"^app\.release: .*{job}") as failed:
        alone(api.kubeconfig(), LABEL, "default", seconds=0, tell=lambda _: None)
    provoked("app.release: the Job … of an earlier up still runs", str(failed.value))


def test_it_does_not_wait_for_what_is_not_the_apps(api: ApiServer, job: str) -> None:
    alone(api.kubeconfig(), "other-release", "default", seconds=0, tell=lambda _: None)
