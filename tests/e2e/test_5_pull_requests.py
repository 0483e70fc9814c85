"""What the workflows run, on a real stack: the comment, the deployment with its visit, the rollback, the drift."""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.site import Site, addresses_of
from tests.e2e.stack import Done, Stack, edited


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """A copy of the program and of `ops` for the same stack, which a test may change."""

    stack: Stack
    site: Site
    summary: Path

    def run(self, command: str, *options: str, check: bool = True) -> Done:
        """Run `python -m ops <command>` on the stack."""
        arguments = (sys.executable, "-m", "ops", command, "--stack", self.stack.name, *options)
        return self.stack.run(*arguments, check=check)

    def deploy(self, *options: str) -> Done:
        """Deploy, and visit the site at the address that the sandbox's name server gives."""
        (address,) = addresses_of(self.site.host)
        where = ("--authority", str(self.site.ca), "--address", address, "--within", "5")
        return self.run("deploy", *where, "--summary", str(self.summary), *options, check=False)

    def way_back(self) -> str:
        """Return the digest in the rollback command of the summary."""
        command = r"^ +\.venv/bin/python -m ops deploy .* --digest (\S+)$"
        told = re.search(command, self.summary.read_text(), re.MULTILINE)
        assert told, self.summary.read_text()
        return told[1]

    def image(self) -> str:
        """Return the deployed image, by digest."""
        return str(self.stack.outputs()["image"])


@pytest.fixture
def operations(stack: Stack, site: Site, tmp_path: Path) -> Iterator[Operations]:
    """Copy the program and `ops`; restore the stack at the end."""
    copy = stack.copied(tmp_path / "program")
    shutil.copytree(stack.layout.checkout / "ops", copy.folder / "ops")
    try:
        yield Operations(stack=copy, site=site, summary=tmp_path / "summary.md")
    finally:
        stack.change("up", "--refresh")


def test_the_comment_says_what_a_preview_of_the_stack_finds(operations: Operations) -> None:
    operations.stack.pulumi("config", "set", "--path", "app.scale.min", "3")
    text = operations.run("preview").out
    assert "## Preview of `local`: 1 updated\n" in text
    assert "`spec.replicas`: `2` → `3`" in text
    password = (operations.stack.layout.secrets / "registry-password").read_text().strip()
    assert password not in text


def test_the_comment_on_a_refused_configuration_is_its_error_and_the_command_fails(operations: Operations) -> None:
    operations.stack.pulumi("config", "set", "--path", "image.tag", "latest")
    done = operations.run("preview", check=False)
    assert done.code == 1
    assert 'image.tag: found "latest"' in done.out


def test_a_bad_image_fails_the_visit_and_the_way_back_restores_the_site(operations: Operations) -> None:
    good = operations.image()
    # Its probes pass: only a visitor sees the error.
    views = operations.stack.folder / "app/ejemplo/views.py"
    edited(views, {"return HttpResponse(_page())": "return HttpResponse(_page(), status=500)"})
    failed = operations.deploy()
    bad = operations.image()
    assert failed.code == 1
    assert "it answered 500" in failed.err
    assert bad != good
    assert operations.site.ask().status == 500

    # A second bad deployment: the image before it is bad too, and no rollback goes to it.
    operations.summary.unlink()
    edited(views, {"status=500": "status=503"})
    assert "it answered 503" in operations.deploy().err
    assert bad.partition("@")[2] not in operations.summary.read_text()

    assert operations.way_back() == good.partition("@")[2]
    restored = operations.deploy("--digest", operations.way_back())
    assert restored.code == 0, restored.said
    assert operations.image() == good
    # The app in this folder is still bad: neither the rollback nor the next deployment builds it.
    assert operations.deploy().code == 0
    assert operations.image() == good
    assert operations.site.ask().status == 200

    operations.summary.unlink()
    again = operations.deploy("--digest", "build")
    assert again.code == 1
    assert "it answered 503" in operations.summary.read_text()
    assert operations.way_back() == good.partition("@")[2]

    edited(views, {"return HttpResponse(_page(), status=503)": "return HttpResponse(_page())"})
    fixed = operations.deploy()
    assert fixed.code == 0, fixed.said
    assert operations.site.ask().status == 200


def test_drift_is_told_and_so_is_its_end(operations: Operations) -> None:
    assert operations.run("drift").out == "Nothing drifted in local.\n"
    operations.stack.kubectl("scale", "deployment", "ejemplo-django", "--replicas=1")
    told = operations.run("drift").out
    assert told.startswith("Drift in local\n")
    assert re.search(r"replicas *: 2 => 1", told)
    operations.stack.change("up", "--refresh")
    assert operations.run("drift").out == "Nothing drifted in local.\n"


def test_make_pr_comment_writes_the_comment(stack: Stack) -> None:
    done = stack.run("make", "--silent", "pr-comment")
    assert done.out.startswith("## Preview of `local`: no changes\n")
