"""The comment on a pull request: made from the engine's report, and posted."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ops import preview, pulumi
from tests.ops.conftest import Double

URN = "urn:pulumi:dev::ejemplo-django::"


def step(
    op: str, name: str = "thing", *, old: Any = None, new: Any = None, diff: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return a step as the engine writes it; `diff` has the kind of each difference by its path."""
    state = {"type": "aws:s3/bucket:Bucket", "custom": True}
    return {
        "op": op,
        "urn": f"{URN}aws:s3/bucket:Bucket::{name}",
        "oldState": None if old is None else {**state, "inputs": old},
        "newState": None if new is None else {**state, "inputs": new},
        "detailedDiff": {path: {"kind": kind, "inputDiff": True} for path, kind in (diff or {}).items()} or None,
    }


def rendered(steps: list[dict[str, Any]], *, errors: tuple[str, ...] = (), **more: Any) -> str:
    return preview.fitted(preview.rendered({"steps": steps, **more}, stack="dev", errors=list(errors)))


def updated(old: Any, new: Any, *, kind: str = "update") -> str:
    """Return the comment on an update of one property."""
    before, after = ({} if value is None else {"tags": value} for value in (old, new))
    return rendered([step("update", old=before, new=after, diff={"tags": kind})])


def tokens(text: str) -> list[Token]:
    """Return all tokens of a Markdown text, nested ones too."""
    parsed = MarkdownIt("commonmark", {"html": True}).parse(text)
    return [each for token in parsed for each in (token, *(token.children or ()))]


@pytest.mark.parametrize(("old", "new"), [("[secret]", "hunter2"), ("hunter2", "[secret]"), ("[secret]", "[secret]")])
def test_a_property_that_is_secret_before_or_after_is_not_shown(old: str, new: str) -> None:
    assert "`tags`: `[secret]` changes" in (text := updated(old, new))
    assert "hunter2" not in text
    inside = step("update", old={"data": "[secret]"}, new={"data": {"key": "hunter2"}}, diff={"data.key": "update"})
    assert "hunter2" not in rendered([inside])


def test_what_cannot_be_undone_comes_first_and_the_halves_of_a_replacement_are_one() -> None:
    halves = [
        step(op, "again", old={"a": 1}, new={"a": 2}, diff={"a": "update-replace"})
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    steps = [step("create", "made", new={}), step("update", "changed", old={"a": 1}, new={"a": 2}), *halves]
    text = rendered([*steps, step("delete", "gone", old={"forceDestroy": True}), step("same", "kept", old={}, new={})])
    assert text.startswith("## Preview of `dev`: 1 deleted, 1 replaced, 1 updated, 1 created\n")
    places = [text.rindex(f"`{name}`") for name in ("gone", "again", "changed", "made")]
    assert places == sorted(places)
    assert "> Deleted or replaced: `gone`, `again`. With everything in it: `gone`.\n" in text
    assert "kept" not in text
    # An unknown operation comes first: nobody knows what it breaks.
    text = rendered([step("delete", "gone", old={}), step("transmogrify", old={}, new={})])
    assert text.index("### `transmogrify` (1)") < text.index("### Deleted (1)")


@pytest.mark.parametrize(
    "text",
    [
        "``` \n</details>\n# Approved",
        "<!-- hidden --><img src=x onerror=alert(1)>",
        "@everyone [click](https://evil.example) ![](https://evil.example/pixel) \u202eevil\u2066",
    ],
)
def test_a_text_of_others_is_nothing_but_text(text: str) -> None:
    written = updated("before", text)
    assert {each.type for each in tokens(written)} == {each.type for each in tokens(updated("before", "after"))}
    assert "\u202e" not in written
    named = rendered([step("delete", text, old={})], errors=(f"error: ````\n{text}\n<script>",))
    assert not [each for each in tokens(named) if each.type.startswith(("html", "link", "image"))]


def test_a_value_is_shown_where_it_differs_by_the_name_of_its_element_and_when_it_comes_or_goes() -> None:
    same = "same " * 200
    text = updated(f"{same}old{same}", f"{same}new{same}")
    assert "old" in text
    assert "new" in text
    assert max(len(each.content) for each in tokens(text) if each.type == "code_inline") < 200
    old, new = ({"env": [{"name": "PORT"}, {"name": "VERSION", "value": each}]} for each in ("v1", preview.UNKNOWN))
    text = rendered([step("update", old=old, new=new, diff={"env[1].value": "update"})])
    assert '`env[VERSION].value`: `"v1"` → `known after up`' in text
    assert "`tags`: added `1`" in updated(None, 1, kind="add")
    assert "`tags`: `1` removed" in updated(1, None, kind="delete")


def test_a_comment_that_is_too_long_ends_by_saying_so_and_keeps_what_is_destroyed() -> None:
    many = [step("update", f"c-{at}", old={"a": "ä" * 90}, new={"a": "b"}, diff={"a": "update"}) for at in range(2000)]
    text = rendered([*many, step("delete", "gone", old={})])
    assert 60_000 < len(text.encode()) <= preview.LIMIT
    assert "### Deleted (1)" in text
    left = re.search(r"shows the (\d+) lines left out", text.splitlines()[-1])
    assert left
    assert text.count("- `c-") * 2 + int(left[1]) == 2000 * 2


def test_warnings_are_told_once_and_so_is_the_plan_of_the_cluster_but_not_where_plugins_are() -> None:
    said = [("warning", "warning: using pulumi-resource-aws from $PATH at /x\n", "")]
    said += [("warning", "warning: deprecated\n", "")] * 2
    said += [("info#err", "Will modify: nodes\n", f"{URN}ejemplo-django:infra:KopsCluster::cluster")]
    said += [("info#err", "of the zone\n", f"{URN}ejemplo-django:infra:Zone::zone")]
    text = rendered([], diagnostics=[{"severity": kind, "message": text, "urn": urn} for kind, text, urn in said])
    assert text.count("deprecated") == 1
    assert "**The cluster's plan**\n\n```text\nWill modify" in text
    assert "$PATH" not in text
    assert "of the zone" not in text


def test_a_preview_is_posted_as_one_comment_and_so_is_one_that_fails(
    project: Path, double: Callable[[str], Double], capsys: pytest.CaptureFixture[str]
) -> None:
    gh = double("gh")
    preview.run(stack=["dev"], pull=7)
    edit = ["pr", "comment", "7", "--edit-last", "--create-if-none", "--body-file", "-"]
    [posted] = gh.calls()
    assert posted["arguments"] == edit
    assert posted["stdin"].startswith("## Preview of `dev`: 1 created\n")

    (project / "__main__.py").write_text("raise SystemExit('no good')")
    with pytest.raises(typer.Exit):
        preview.run(stack=["dev", "nowhere"], pull=7)
    failed = gh.calls()[-1]
    assert failed["arguments"] == edit
    assert "## Preview of `dev`: failed" in failed["stdin"]
    assert "no stack named 'nowhere' found" in failed["stdin"]
    assert "using pulumi-" not in failed["stdin"]
    assert capsys.readouterr().out.count("The preview failed") == 2


IN_AWS = """
import pulumi
import pulumi_aws as aws

for name, (called, days) in {groups}.items():
    aws.cloudwatch.LogGroup(name, name=called, retention_in_days=days)
aws.kms.Key("keyed", description=pulumi.Output.secret("{secret}"))
"""
"""Log groups, each with its name in AWS and its retention in days, and a key with a secret description."""


def test_what_the_engine_says_of_aws_is_in_the_comment_and_no_secret_is(
    aws: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"ENDPOINT_URL": aws, "REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    program = project / "__main__.py"
    groups = {"kept": ("kept", 7), "moved": ("here", 7), "gone": ("gone", 7)}
    program.write_text(IN_AWS.format(groups=groups, secret="hunter2"))
    pulumi.run("up", "--yes", "--skip-preview", "--stack", "dev")
    program.write_text(IN_AWS.format(groups={"kept": ("kept", 30), "moved": ("there", 7)}, secret="hunter3"))
    capsys.readouterr()
    preview.run(stack=["dev"], revision="0123456789abcdef")
    text = capsys.readouterr().out
    assert text.startswith("## Preview of `dev` at `0123456789ab`: 1 deleted, 1 replaced, 2 updated\n")
    assert "> Deleted or replaced: `gone`, `moved`." in text
    assert '`name`: `"here"` → `"there"` **(replaces it)**' in text
    assert "`retentionInDays`: `7` → `30`" in text
    assert "`description`: `[secret]` changes" in text
    assert "hunter" not in text
