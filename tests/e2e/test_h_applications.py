"""Applications of users: a project with a database, a worker and a schedule, and another one beside it.

Each is a stack of its own on the sandbox, by settings alone. Each test continues from the one before.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sandbox import addresses
from tests.e2e import cloud, postgresql
from tests.e2e.site import Site
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually
from tests.e2e.watching import visited
from tests.troubles import provoked

EXAMPLE = "examples/shop"
DOMAIN = "shop.example.test"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"
MAX = 3
"""The maximum of the shop's pods, which it reaches under load."""

BROKEN = '''\
"""A migration that cannot be done."""

from django.db import migrations


def fail(*_):
    raise RuntimeError("there is no such column")


class Migration(migrations.Migration):
    dependencies = [("visits", "0001_initial")]
    operations = [migrations.RunPython(fail)]
'''
MENDED = BROKEN.replace("migrations.RunPython(fail)", 'migrations.RunSQL("CREATE TABLE mended ()")')
OTHER_IMAGE = """\
FROM python:3.13-slim
USER 65534
CMD ["python", "-m", "http.server", "8000"]
"""


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[postgresql.Server]:
    """Run a database server for the shop."""
    with postgresql.server(stack) as server:
        yield server


@pytest.fixture(scope="module")
def shop(stack: Stack, database: postgresql.Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Deploy the example as its page says. Destroy it, and check that the cloud is as before."""
    made = stack.copied(tmp_path_factory.mktemp("shop") / "program", name="shop")
    shutil.copytree(stack.layout.checkout / EXAMPLE, made.folder / EXAMPLE)
    shutil.copy2(made.folder / EXAMPLE / "Pulumi.shop.yaml", made.folder)
    # `make up` does the same for a stack of the sandbox's own that scales.
    stack.sandbox("start", "--metrics", timeout=900)
    before = cloud.settled(stack)
    with created(made):
        url = database.login("shop", database="shop")
        database.sql("CREATE DATABASE shop OWNER shop")
        keep(made, url)
        made.change("up")
        yield made

    def as_before() -> None:
        assert cloud.everything(stack) ^ before == set()

    eventually(as_before)


@contextmanager
def created(made: Stack) -> Iterator[None]:
    """Create the stack; destroy and remove it at the end."""
    made.pulumi("stack", "init", "--no-select")
    try:
        yield
    finally:
        made.change("destroy")
        made.pulumi("stack", "rm", "--yes")


def keep(shop: Stack, url: str) -> None:
    """Set the one secret that the example's file lacks."""
    key = ("--path", "ejemplo-django:app.secrets.DATABASE_URL")
    shop.run("pulumi", "config", "set", "--secret", *key, f"--stack={shop.name}", stdin=url)


@pytest.fixture(scope="module")
def page(shop: Stack) -> Site:
    """Return the shop's site, once its new load balancer is in service, which takes seconds."""
    site = Site(host=DOMAIN, ca=shop.layout.ca)
    eventually(site.page)
    return site


def shown(page: Site, what: str) -> str:
    """Return the text under an ID in the page."""
    found = re.search(rf'id="{what}">([^<]+)<', page.page().body)
    assert found
    return found[1]


def names(shop: Stack, kind: str, *, app: str = "shop") -> set[str]:
    """Return the names of the objects with the app's label that are not being deleted."""
    found = shop.objects(kind, f"--namespace={shop.name}", f"--selector=app={app}")["items"]
    return {each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]}


def replicas(shop: Stack) -> int:
    """Return how many pods the Deployment should have."""
    return int(shop.objects("deployment/shop", f"--namespace={shop.name}")["spec"]["replicas"])


def test_the_page_reads_the_database_that_the_release_made(page: Site) -> None:
    before = [int(shown(page, what)) for what in ("counted", "waiting")]
    assert sum(before) > 0


def test_the_worker_does_what_the_page_gave_it(page: Site) -> None:
    def counted() -> None:
        assert int(shown(page, "counted")) > 0

    eventually(counted)


def test_a_static_file_comes_from_the_image(page: Site) -> None:
    found = re.search(r'href="(/static/[^"]+)"', page.page().body)
    assert found
    answer = page.ask(found[1])
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/css")


def test_a_changed_variable_and_more_pods_under_load_lose_no_request(shop: Stack, page: Site) -> None:
    shop.pulumi("config", "set", "--path", "app.env.TITLE", "Sale")
    shop.pulumi("config", "set", "--path", "app.scale.max", str(MAX))

    def scaled() -> None:
        assert replicas(shop) == MAX

    with visited(page) as visits:
        shop.change("up")
        eventually(scaled)
    assert "metrics-server" in shop.sandbox("status").out
    assert "<h1>Sale</h1>" in page.page().body
    assert visits.failures == []


def migration(shop: Stack, text: str) -> None:
    (shop.folder / EXAMPLE / "visits" / "migrations" / "0002_change.py").write_text(text)


def test_a_release_that_fails_is_told_with_its_last_line_and_changes_no_pod(shop: Stack, page: Site) -> None:
    migration(shop, BROKEN)
    before, jobs = names(shop, "pods"), names(shop, "jobs", app="shop-release")
    with visited(page) as visits:
        change = shop.change("up", check=False)
    assert change.done.code != 0
    [failed] = names(shop, "jobs", app="shop-release") - jobs
    assert failed in change.messages
    provoked("[BackoffLimitExceeded] Job", change.messages)
    assert "RuntimeError: there is no such column" in change.messages
    assert not any(label.startswith(DEPLOYMENT) for label, _ in change.steps)
    assert names(shop, "pods") == before
    assert visits.failures == []


def test_the_mended_release_with_another_login_keeps_every_pod_and_loses_no_request(
    shop: Stack, page: Site, database: postgresql.Server
) -> None:
    migration(shop, MENDED)
    keep(shop, database.login("other", database="shop", rights="IN ROLE shop"))
    before = names(shop, "pods")

    def replaced() -> None:
        assert not names(shop, "pods") & before

    with visited(page) as visits:
        shop.change("up")
        assert replicas(shop) == MAX
        eventually(replaced)
    assert visits.pods & before
    assert visits.pods & names(shop, "pods")
    assert visits.failures == []

    def with_the_other_login() -> None:
        assert database.sql("SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'shop'") == "other"

    eventually(with_the_other_login)
    assert shop.change("up").steps == []


def test_the_schedule_did_its_work(page: Site) -> None:
    def reported() -> None:
        assert re.match(r"\d+ at ", shown(page, "report"))

    eventually(reported)


def test_another_application_in_the_same_cluster_and_zone_comes_and_goes_by_itself(
    shop: Stack, page: Site, tmp_path: Path
) -> None:
    other = shop.copied(tmp_path / "program", name="other")
    (other.folder / "other").mkdir()
    (other.folder / "other" / "Dockerfile").write_text(OTHER_IMAGE)
    settings = yaml.safe_load((shop.folder / EXAMPLE / "Pulumi.shop.yaml").read_text())
    settings["config"] |= {
        "ejemplo-django:app": {"name": "other", "stopSeconds": 1},
        "ejemplo-django:image": {"context": "other"},
        "ejemplo-django:hosts": [f"other.{DOMAIN}"],
        "ejemplo-django:zone": {"existing": True},
        "ejemplo-django:delegation": {"resolver": addresses.NODE_ADDRESS},
        "ejemplo-django:namespace": {"name": "other"},
    }
    (other.folder / "Pulumi.other.yaml").write_text(yaml.safe_dump(settings))
    with visited(page) as visits:
        with created(other):
            other.change("up")
            site = Site(host=f"other.{DOMAIN}", ca=other.layout.ca)
            assert "Directory listing" in eventually(site.page).body
            assert other.outputs()["zoneId"] == shop.outputs()["zoneId"]
        assert shop.plan("--expect-no-changes").steps == []
    assert visits.failures == []
