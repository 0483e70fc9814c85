"""The pages: every command in them runs as it would for a reader, and answers what the page shows.

tests/documents.py defines what a command is. A page runs at the checkout's path, but on a copy of its files, so that
its edits do not stay; the sandbox and the virtual environment are the real ones.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from sandbox.layout import Layout
from tests.documents import PAGES, ROOT, TRANSLATIONS, Command, answers, commands
from tests.e2e.session import Times
from tests.e2e.stack import Stack, packages_of_the_suite

WITHIN = 480
"""Seconds after which a page is stopped."""

EXEMPT = {
    "make test": "the suite that runs this is the end of it",
    "make test-fast": "part of `make test`",
    "make check": "part of `make test`",
    "make up": "the suite begins with it, from nothing, and repeats it in test_4_changes",
    "make down": "the suite ends with it",
}
"""Commands that are not run here, and why."""


PLAYED = [page for page in PAGES if page not in TRANSLATIONS and commands(page, "console", "console fails")]

OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
"""Variables by which make knows that another make runs it, and prints that. The suite itself runs under make."""

KEPT = (".sandbox", ".venv")
"""What is not copied: the running sandbox, and the packages."""


@pytest.fixture(scope="module", autouse=True)
def _restored(stack: Stack) -> Iterator[None]:
    """Select the stack as `make up` does, and restore it at the end, whatever the pages changed."""
    stack.run("pulumi", "stack", "select", stack.name)
    yield
    stack.run("pulumi", "stack", "select", stack.name)
    stack.change("up", "--refresh")


OF_EXISTING = {"docs/tour/4-cluster.md": "it shows that the cluster is one that was there before"}
"""Pages whose answers are those of the driver `existing`, each with the reason to skip it on EKS."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(each, marks=[pytest.mark.not_on_eks(OF_EXISTING[each])] if each in OF_EXISTING else [])
        for each in PLAYED
    ],
)
def test_every_command_of_a_page_answers_what_the_page_shows(
    page: str, stack: Stack, times: Times, tmp_path: Path
) -> None:
    began = time.monotonic()
    wrong = []
    shown_commands, within = commands(page, "console", "console fails"), WITHIN * times.factor
    for command, code, came in play(shown_commands, layout=stack.layout, folder=tmp_path, within=within):
        where, shown = f"{page}:{command.line}\n$ {command.text}\n", "\n".join(command.answer)
        if code is None or (code != 0) != command.fails:
            wrong.append(f"{where}ended with {code}:\n{came}")
        elif shown and not answers(came, command.answer):
            wrong.append(f"{where}is shown with\n{shown}\n\nand answered\n{came}")
    assert not wrong, "\n\n".join(wrong)
    times.hold(f"the commands of {page}", time.monotonic() - began, limit=WITHIN)


def test_the_pages_leave_the_stack_as_it_was(stack: Stack) -> None:
    assert stack.plan("--expect-no-changes").steps == []


NEEDS_AWS = [(page, each) for page in PAGES if page not in TRANSLATIONS for each in commands(page, "console aws")]


@pytest.mark.parametrize(("page", "command"), NEEDS_AWS, ids=[f"{page}:{each.line}" for page, each in NEEDS_AWS])
def test_a_command_that_needs_aws_is_one(page: str, command: Command, stack: Stack) -> None:
    stack.run("bash", "-n", "-c", command.text)
    for words in simple(command.text):
        real(words, stack, project=_project(page))


def simple(text: str) -> Iterator[list[str]]:
    """Yield the commands in a line of bash: those of a pipe, of `&&` and `;`, and within `"$(...)"`."""
    for inner in re.findall(r"\$\(([^()]*)\)", text):
        yield from simple(inner)
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="|&;<>\n")
    lexer.whitespace_split = True
    lexer.whitespace = " \t"
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("|&;\n"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def real(words: list[str], stack: Stack, *, project: Path) -> None:
    """Fail unless the command and its options exist, and the setting exists in the project."""
    while re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    match words:
        case ["pulumi" | "kubectl" as program, *_]:
            said = stack.run(*words, "--help").out
            *_, usage = re.findall(rf"^ *({program}.*)$", said, flags=re.MULTILINE)
            assert "[command]" not in usage, f"{' '.join(words)} is no command"
            if words[1] == "config" and "set" in words:
                known(words[words.index("set") + 1 :], project)
        case ["make", *_]:
            stack.run(*words, "--dry-run")
        case ["az" | "gcloud" | "ibmcloud" | "kops" | "oc", *_] | ["aws", "eks", "update-kubeconfig", *_]:
            pass  # None of these is installed, and `aws eks update-kubeconfig` has no skeleton.
        case ["aws", *_]:
            stack.run(*words, "--generate-cli-skeleton")
        case [".venv/bin/python", "-m", "ops", *_]:
            stack.run(*words, "--help")
        case _:
            stack.run("bash", "-c", f"type {shlex.quote(words[0])}")


def known(words: list[str], project: Path) -> None:
    """Fail unless the project describes the setting: this project in its schema, another in its Pulumi.yaml."""
    without = [word for before, word in pairwise(["", *words]) if before not in ("--stack", "--type")]
    key = next(word for word in without if not word.startswith("-"))
    name, *inner = re.split(r"[.\[]", key)
    if project == ROOT:
        properties = json.loads((ROOT / "Pulumi.schema.json").read_text())["properties"]["config"]["properties"]
        described = {each.partition(":")[2]: json.dumps(inside) for each, inside in properties.items()}
    else:
        given = yaml.safe_load((project / "Pulumi.yaml").read_text())["config"]
        described = {each: inside["description"] for each, inside in given.items()}
    assert name in described, f"there is no setting {key}"
    keys = [each for each in inner if each.isalpha()]
    assert all(re.search(rf"\b{each}\b", described[name]) for each in keys), f"there is no setting {key}"


def _project(page: str) -> Path:
    beside = (ROOT / page).parent
    return beside if (beside / "Pulumi.yaml").exists() else ROOT


def play(
    page: tuple[Command, ...], *, layout: Layout, folder: Path, within: float
) -> Iterator[tuple[Command, int | None, str]]:
    """Run the commands in one shell until one does not end as it should; yield each with exit code and output."""
    wanted = [each for each in page if each.text not in EXEMPT]
    checkout, copy, script = layout.checkout, _copied(layout.checkout, folder / "copy"), folder / "script"
    script.write_text("".join(_scripted(each, folder / str(number)) for number, each in enumerate(wanted)))
    # Only this shell sees the mounts, and they end with it.
    binds = [
        ["mount", "--bind", str(checkout / name), str(copy / name)] for name in KEPT if not (copy / name).is_symlink()
    ]
    binds += [["mount", "--rbind", str(copy), str(checkout)], ["cd", str(checkout)]]
    inside = " && ".join(shlex.join(each) for each in [*binds, ["bash", "-o", "pipefail", str(script)]])
    ended = subprocess.run(
        # `timeout` ends all processes with SIGTERM, so an engine stops in order; the output so far is kept.
        ["timeout", str(within), "unshare", "--mount", "--propagation=private", "sh", "-c", inside],
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if name not in OF_MAKE},
        capture_output=True,
        text=True,
        check=False,
    )
    for number, each in enumerate(wanted):
        said, code = folder / str(number), folder / f"{number}.code"
        if not said.exists():
            yield each, None, f"It was not run.\n{ended.stderr}"
            return
        yield each, int(code.read_text()) if code.exists() else None, said.read_text(errors="replace")


def _scripted(command: Command, said: Path) -> str:
    as_it_should = "-ne" if command.fails else "-eq"
    return f"exec >{said} 2>&1\n{command.text}\ncode=$?; echo $code >{said}.code; [ $code {as_it_should} 0 ] || exit\n"


def _copied(checkout: Path, to: Path) -> Path:
    """Copy what a page may edit; create only mount points or links for packages and the sandbox."""
    left_out = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", *KEPT)
    shutil.copytree(checkout, to, symlinks=True, ignore=left_out)
    for name in KEPT:
        if (checkout / name).is_symlink():
            (to / name).symlink_to((checkout / name).readlink())
        else:
            (to / name).mkdir()
    for example in (to / "examples").glob("*/requirements.txt"):
        packages_of_the_suite(example.parent)
    return to
