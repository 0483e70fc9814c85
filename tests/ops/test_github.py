"""What the workflows write on GitHub: one comment on a pull request, one issue about drift."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ops import comment, drift, plan
from ops.errors import OpsError
from ops.github import Repository
from tests import record
from tests.ops import github
from tests.ops.github import Site

MARKER = drift.marker("local")


@pytest.fixture
def site() -> Iterator[Site]:
    with github.serve() as served:
        yield served


@pytest.fixture
def repository(site: Site) -> Repository:
    return Repository(name=github.REPOSITORY, api=site.url, token=github.TOKEN)


def test_the_comment_is_written_once_and_then_edited_in_place(site: Site, repository: Repository) -> None:
    site.write(7, "a word of somebody", login="somebody")
    first, second = record.rendered("create"), record.rendered("failure")
    assert repository.comment(7, first) == repository.comment(7, second)
    assert site.bodies(7) == ["a word of somebody", second]


def test_each_stack_and_each_pull_request_has_its_own_comment(site: Site, repository: Repository) -> None:
    text = record.rendered("create")
    repository.comment(7, text)
    repository.comment(8, text)
    repository.comment(7, text.replace(comment.marker("local"), comment.marker("dev")))
    assert len(site.bodies(7)) == 2
    assert len(site.bodies(8)) == 1


def test_a_comment_of_somebody_else_is_left_alone_though_it_begins_with_the_marker(
    site: Site, repository: Repository
) -> None:
    forged = site.write(7, f"{comment.marker('local')}\nall is well", login="somebody")
    repository.comment(7, record.rendered("delete"))
    assert forged["body"].endswith("all is well")
    assert len(site.bodies(7)) == 2


def test_the_comment_is_found_beyond_the_first_page(site: Site, repository: Repository) -> None:
    for _ in range(100):
        site.write(7, "a word", login="somebody")
    repository.comment(7, record.rendered("create"))
    repository.comment(7, record.rendered("delete"))
    assert site.bodies(7)[100:] == [record.rendered("delete")]


def test_a_refusal_names_the_right_that_is_missing_and_not_the_token(site: Site) -> None:
    without = Repository(name=github.REPOSITORY, api=site.url, token="another")
    with pytest.raises(OpsError, match=r"403.*not accessible.*pull-requests: write") as refused:
        without.comment(7, "text")
    assert "another" not in str(refused.value)


def drifted() -> drift.Issue:
    found = drift.issue(plan.read((record.RECORDINGS / "drift.json").read_text()))
    assert found is not None
    return found


def settle(repository: Repository, wanted: drift.Issue | None) -> str:
    return drift.settle(repository, stack="local", wanted=wanted)


def test_an_issue_is_opened_renewed_and_closed_with_the_drift(site: Site, repository: Repository) -> None:
    assert settle(repository, drifted()) == "opened #1"
    assert site.issues[0]["title"] == "Drift in local: 3 resources differ"
    assert site.issues[0]["body"].startswith(MARKER)
    other = drift.Issue(title="Drift in local: 1 resource differs", body=f"{MARKER}\nother")
    assert settle(repository, other) == "updated #1"
    assert (site.issues[0]["title"], site.issues[0]["body"]) == (other.title, other.body)
    assert settle(repository, None) == "closed #1"
    assert site.issues[0]["state"] == "closed"
    assert site.bodies(1) == ["Nothing differs any more."]


def test_without_drift_and_without_an_issue_nothing_is_written(site: Site, repository: Repository) -> None:
    assert settle(repository, None) == "nothing drifted"
    assert site.issues == []


def test_drift_after_an_issue_was_closed_opens_another(site: Site, repository: Repository) -> None:
    settle(repository, drifted())
    settle(repository, None)
    assert settle(repository, drifted()) == "opened #2"


def test_the_issue_of_another_stack_of_somebody_else_and_a_pull_request_are_left_alone(
    site: Site, repository: Repository
) -> None:
    site.open("dev", drift.marker("dev"))
    site.open("forged", MARKER, login="somebody")
    site.open("a pull request", MARKER, pull_request={})
    assert settle(repository, None) == "nothing drifted"
    assert {each["state"] for each in site.issues} == {"open"}


def test_a_refresh_that_failed_is_no_end_of_the_drift() -> None:
    failed: dict[str, Any] = json.loads((record.RECORDINGS / "drift.json").read_text())
    failed["steps"] = failed["steps"][:1]
    failed["diagnostics"] = [{"severity": "error", "message": "error: the cluster does not answer"}]
    with pytest.raises(OpsError, match="nothing is known of its drift: error: the cluster does not answer"):
        drift.issue(plan.read(json.dumps(failed)))


def test_a_refresh_that_finds_nothing_is_no_issue() -> None:
    found: dict[str, Any] = json.loads((record.RECORDINGS / "drift.json").read_text())
    found["steps"] = [each for each in found["steps"] if each["op"] == "refresh"]
    assert len(found["steps"]) > 20
    assert drift.issue(plan.read(json.dumps(found))) is None
