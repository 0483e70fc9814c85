"""Drift as the real engine finds it, and the issue that reports it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ops import drift, pulumi
from ops.command import OpsError
from tests.ops.conftest import Double


def test_an_issue_is_opened_renewed_and_closed_and_that_of_somebody_else_left_alone(
    project: Path, double: Callable[[str], Double], capsys: pytest.CaptureFixture[str]
) -> None:
    gh = double("gh")
    gh.answer("[]")
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    drift.run(stack="dev", issue=True)
    assert capsys.readouterr().out.startswith("Nothing drifted in dev.\n")
    [listed] = gh.calls()
    assert listed["arguments"][:4] == ["issue", "list", "--app", "github-actions"]

    (project / "world").write_text("1")
    drift.run(stack="dev", issue=True)
    assert 'replicas: "2" => "1"' in capsys.readouterr().out
    created = gh.calls()[-1]
    assert created["arguments"] == ["issue", "create", "--title", "Drift in dev", "--body-file", "-"]
    assert 'replicas: "2" => "1"' in created["stdin"]
    assert "using pulumi-" not in created["stdin"]

    gh.answer(json.dumps([{"number": 3, "title": "Drift in prod"}, {"number": 4, "title": "Drift in dev"}]))
    drift.run(stack="dev", issue=True)
    assert gh.calls()[-1]["arguments"] == ["issue", "edit", "4", "--body-file", "-"]

    (project / "world").write_text("2")
    drift.run(stack="dev", issue=True)
    assert gh.calls()[-1]["arguments"][:3] == ["issue", "close", "4"]


def test_a_refresh_that_fails_is_no_drift_and_not_the_lack_of_it(project: Path) -> None:
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    (project / "world").unlink()
    with pytest.raises(OpsError, match="dev was not checked for drift"):
        drift.drift("dev")
