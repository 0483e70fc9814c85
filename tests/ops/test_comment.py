"""The comment on a pull request, made of what the real engine said of the program (see tests/record.py)."""

import copy
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from ops import comment, cost, markdown, plan, values
from ops.errors import OpsError
from tests import record

URN = "urn:pulumi:dev::ejemplo-django::"
STACK = f"{URN}pulumi:pulumi:Stack::ejemplo-django-dev"


def recorded(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((record.RECORDINGS / f"{name}.json").read_text())
    return read


def step(
    op: str,
    type_: str = "aws:s3/bucket:Bucket",
    name: str = "thing",
    *,
    old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None,
    diff: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A step as the engine writes it: state from inputs, and kinds of differences by path."""
    state = {"type": type_, "custom": True, "parent": STACK}
    return {
        "op": op,
        "urn": f"{URN}{type_}::{name}",
        "oldState": None if old is None else {**state, "inputs": old},
        "newState": None if new is None else {**state, "inputs": new},
        "detailedDiff": {path: {"kind": kind, "inputDiff": True} for path, kind in (diff or {}).items()} or None,
    }


def said(steps: list[dict[str, Any]], **more: Any) -> str:
    return json.dumps({"steps": steps, **more})


def rendered(steps: list[dict[str, Any]], **more: Any) -> str:
    return comment.render(plan.read(said(steps, **more), stack="dev"), cost.table())


def updated(old: Any, new: Any, *, kind: str = "update", path: str = "tags") -> str:
    """The comment on an update of one property."""
    before, after = ({} if value is None else {path: value} for value in (old, new))
    return rendered([step("update", old=before, new=after, diff={path: kind})])


def tokens(text: str) -> list[Token]:
    """All tokens of a Markdown text, those inside of others too."""
    parsed = MarkdownIt("commonmark", {"html": True}).parse(text)
    return [each for token in parsed for each in (token, *(token.children or ()))]


def codes(text: str) -> list[str]:
    return [each.content for each in tokens(text) if each.type == "code_inline"]


@pytest.mark.parametrize("name", record.SCENARIOS)
def test_the_text_is_the_golden_one(name: str) -> None:
    assert record.rendered(name) == (record.GOLDEN / f"{name}.md").read_text()


def test_no_recording_and_no_comment_holds_the_secret_that_was_set() -> None:
    assert '"stringData.SECRET_KEY"' in (record.RECORDINGS / "secret.json").read_text()
    for path in (*record.RECORDINGS.iterdir(), *record.GOLDEN.iterdir()):
        assert record.KEY not in path.read_text(), path


@pytest.mark.parametrize(("old", "new"), [("[secret]", "hunter2"), ("hunter2", "[secret]"), ("[secret]", "[secret]")])
def test_a_property_that_is_secret_before_or_after_is_not_shown(old: str, new: str) -> None:
    text = updated(old, new)
    assert "hunter2" not in text
    assert "`tags`: `[secret]` changes" in text


def test_a_property_inside_of_a_secret_is_not_shown() -> None:
    text = rendered(
        [step("update", old={"data": "[secret]"}, new={"data": {"key": "hunter2"}}, diff={"data.key": "update"})]
    )
    assert "hunter2" not in text
    assert "`data.key`: `[secret]` changes" in text


def test_what_is_destroyed_comes_before_what_is_changed_and_that_before_what_is_made() -> None:
    steps = [
        step("create", name="made", new={}),
        step("update", name="changed", old={"a": 1}, new={"a": 2}, diff={"a": "update"}),
        step("replace", name="again", old={"a": 1}, new={"a": 2}, diff={"a": "update-replace"}),
        step("delete", name="gone", old={}),
    ]
    text = rendered(steps)
    places = [text.rindex(f"`{name}`") for name in ("gone", "again", "changed", "made")]
    assert places == sorted(places)
    alarm = text[text.index("[!CAUTION]") : text.index("###")]
    assert "`gone`" in alarm
    assert "`again`" in alarm
    assert "`changed`" not in alarm


def test_a_plan_that_destroys_nothing_raises_no_alarm() -> None:
    assert "CAUTION" not in (record.GOLDEN / "update.md").read_text()
    assert "CAUTION" not in (record.GOLDEN / "create.md").read_text()


def test_a_bucket_that_is_emptied_for_its_deletion_is_said_to_be() -> None:
    assert "is lost:** `thing`" in rendered([step("delete", old={"forceDestroy": True})])
    assert "lost" not in rendered([step("delete", old={"forceDestroy": False})])


def test_halves_of_a_replacement_are_one_replacement() -> None:
    halves = [
        step(op, old={"a": 1}, new={"a": 2}, diff={"a": "update-replace"})
        for op in ("create-replacement", "replace", "delete-replaced")
    ]
    assert "## Preview of `dev`: 1 replaced\n" in rendered(halves)


@pytest.mark.parametrize(
    "text",
    [
        "`",
        "``` \n</details>\n# Approved",
        "a`b``c```d",
        "<!-- hidden --><img src=x onerror=alert(1)>",
        "@everyone [click](https://evil.example) ![](https://evil.example/pixel)",
        "| a | b |",
        "\u202eevil\u2066",
        " ",
    ],
)
def test_a_value_is_text_whatever_it_holds(text: str) -> None:
    written = updated("before", text)
    assert codes(written)[-1] == values.text(text)
    assert {each.type for each in tokens(written)} == {each.type for each in tokens(updated("before", "after"))}
    hrefs = [str(each.attrGet("href")) for each in tokens(written) if each.type == "link_open"]
    assert all(href.startswith("https://aws.amazon.com/") for href in hrefs)
    assert "\u202e" not in written


def test_names_and_errors_are_text_whatever_they_hold() -> None:
    bad = "x`<b>@all</b>[a](https://evil.example)"
    text = rendered(
        [step("delete", name=bad, old={})],
        diagnostics=[{"severity": "error", "message": f"error: ````\n{bad}\n<script>"}],
    )
    assert bad in codes(text)
    marker, *others = [each for each in tokens(text) if each.type.startswith(("html", "link"))]
    assert marker.content == "<!-- ejemplo-django: preview of dev -->\n"
    assert others == []
    (fence,) = [each for each in tokens(text) if each.type == "fence"]
    assert fence.content == f"error: ````\n{bad}\n<script>\n"


def test_long_values_show_where_they_differ() -> None:
    same = "same " * 200
    text = updated(f"{same}old{same}", f"{same}new{same}")
    assert "old" in text
    assert "new" in text
    assert max(len(each) for each in codes(text)) < 200


def test_a_document_in_a_text_is_shown_as_the_document() -> None:
    assert '`{"Sid": "TlsOnly"}`' in updated("", '{"Sid": "TlsOnly"}')


def test_an_element_of_a_list_goes_by_its_name() -> None:
    env = [{"name": "PORT", "value": "1"}, {"name": "VERSION", "value": "v1"}]
    new = copy.deepcopy(env)
    new[1]["value"] = "v2"
    text = rendered([step("update", old={"env": env}, new={"env": new}, diff={"env[1].value": "update"})])
    assert '`env[VERSION].value`: `"v1"` → `"v2"`' in text


def test_a_property_that_comes_or_goes_is_said_to() -> None:
    assert "`tags`: added `1`" in updated(None, 1, kind="add")
    assert "`tags`: `1` removed" in updated(1, None, kind="delete")


def test_a_plan_that_is_too_long_is_cut_with_a_clear_end_and_keeps_what_is_destroyed() -> None:
    many = [
        step("update", name=f"changed-{at}", old={"a": "ä" * 100}, new={"a": "b"}, diff={"a": "update"})
        for at in range(2000)
    ]
    for at, each in enumerate(many):
        component = f"{URN}ejemplo-django:infra:Zone::zone-{at}"
        each["oldState"]["parent"] = each["newState"]["parent"] = component
    text = rendered([*many, step("delete", name="gone", old={})])
    assert 60_000 < len(text.encode()) <= 65_536
    assert "### Deleted (1)" in text
    left = re.search(r"(\d+) more lines are left out", text.splitlines()[-1])
    assert left
    assert sum(line.startswith("- `changed-") for line in text.splitlines()) < 2000
    assert text.count("`changed-") * 4 + int(left[1]) == 2000 * 4


def test_a_plan_that_just_fits_is_whole() -> None:
    blocks = [["x" * 100] for _ in range(10)]
    whole = markdown.fitted(blocks, end="{left} left")
    assert "left" not in whole
    assert markdown.fitted(blocks, end="{left} left", limit=len(whole)) == whole
    cut = markdown.fitted(blocks, end="{left} left", limit=len(whole) - 1)
    assert cut == "\n".join(["x" * 100 + "\n"] * 9) + "\n1 left\n"


def test_a_failure_before_the_engine_ran_is_a_comment_too() -> None:
    failed = plan.read("", stack="dev", said="\x1b[31merror: validating stack config\x1b[0m\n")
    text = comment.render(failed, cost.table())
    assert "## Preview of `dev`: failed" in text
    assert "error: validating stack config\n" in text


def test_a_plan_that_failed_midway_says_that_it_is_not_all_and_no_cost() -> None:
    text = rendered([step("delete", old={})], diagnostics=[{"severity": "error", "message": "error: no such zone"}])
    assert text.index("no such zone") < text.index("it is not all") < text.index("### Deleted")
    assert "Cost" not in text


def test_warnings_are_shown_once_and_the_whereabouts_of_plugins_not_at_all() -> None:
    noise = {"severity": "warning", "message": "warning: using pulumi-resource-aws from $PATH at /x\n"}
    warning = {"severity": "warning", "message": "warning: deprecated\n"}
    text = rendered([step("same", old={}, new={})], diagnostics=[noise, warning, warning])
    assert text.count("deprecated") == 1
    assert "$PATH" not in text


def test_the_clusters_plan_is_what_its_driver_logs_on_it() -> None:
    plans = {"severity": "info#err", "message": "Will modify: InstanceGroup/nodes\n"}
    steps = [step("same", old={}, new={})]
    of_cluster = {**plans, "urn": f"{URN}ejemplo-django:infra:KopsCluster::cluster"}
    assert "**The cluster's plan**\n\n```text\nWill modify" in rendered(steps, diagnostics=[of_cluster])
    of_zone = {**plans, "urn": f"{URN}ejemplo-django:infra:Zone::zone"}
    assert "Will modify" not in rendered(steps, diagnostics=[of_zone])


SERVICE = "kubernetes:core/v1:Service"


def test_the_cost_is_that_of_what_is_there_before_and_after() -> None:
    zone = "aws:route53/zone:Zone"
    steps = [
        step("same", zone, "kept", old={}, new={}),
        step("delete", zone, "gone", old={}),
        step("create", zone, "made", new={}),
        step("replace", zone, "again", old={}, new={}),
        step("update", SERVICE, old={"spec": {"type": "ClusterIP"}}, new={"spec": {"type": "LoadBalancer"}}),
    ]
    prices = cost.table()
    read = plan.read(said(steps))
    assert cost.before(read.resources, prices).monthly == Decimal("1.50")
    assert cost.after(read.resources, prices).monthly == Decimal("1.50") + Decimal("0.025") * 730
    assert "1.50 USD a month now, 19.75 USD after" in rendered(steps)


def test_a_type_without_a_price_is_named_and_so_is_another_region() -> None:
    config = {"ejemplo-django:aws": json.dumps({"region": "eu-west-1"})}
    text = rendered([step("create", "aws:rds/instance:Instance", new={})], config=config)
    assert "Without a price in the table: `aws:rds/instance:Instance`" in text
    assert "in `eu-west-1`, where prices differ" in text


def test_every_aws_type_that_the_program_declares_has_a_price_or_is_free() -> None:
    read = plan.read((record.RECORDINGS / "create.json").read_text())
    assert cost.after(read.resources, cost.table()).unknown == set()


def test_without_what_stays_the_cost_is_only_the_difference() -> None:
    steps = [step("create", "aws:route53/zone:Zone", new={})]
    text = rendered(steps, changeSummary={"same": 20, "create": 1})
    assert "+0.50 USD a month (what stays as it is was not listed)" in text


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("", "no JSON of a preview"),
        ("Previewing update (dev):", "not what `pulumi preview --json"),
        ("[]", "not what `pulumi preview --json"),
        ("{}", "names no stack"),
        (said([step("transmogrify", old={}, new={})]), "'transmogrify'"),
    ],
)
def test_what_is_no_preview_is_refused_by_message(text: str, refusal: str) -> None:
    with pytest.raises(OpsError, match=re.escape(refusal)):
        plan.read(text)


def test_the_command_writes_the_comment_on_a_preview_that_was_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    comment.run(stack="local", saved=record.RECORDINGS / "replace.json", revision="0123456789abcdef")
    assert capsys.readouterr().out == (record.GOLDEN / "replace.md").read_text()
    with pytest.raises(typer.Exit):
        comment.run(stack="local", saved=record.RECORDINGS / "failure.json", output=tmp_path / "comment.md")
    assert "failed" in (tmp_path / "comment.md").read_text()
    (tmp_path / "none").write_text("nonsense")
    with pytest.raises(OpsError, match="This is not what"):
        comment.run(stack="local", saved=tmp_path / "none")
