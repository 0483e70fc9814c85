"""What the program reads from a Dockerfile before a build."""

import pytest

from infra import dockerfile


def user(text: str, *, target: str | None = None, **args: str) -> str | None:
    found = dockerfile.built(dockerfile.stages(text, args=args), target=target)
    assert found
    return found.user


TWO = "FROM python AS Build\nUSER root\nFROM python AS run\nUSER 10001:10001\n"


@pytest.mark.parametrize(
    ("target", "of"), [(None, "10001"), ("run", "10001"), ("RUN", "10001"), ("build", "root"), ("0", "root")]
)
def test_the_stage_is_the_target_or_the_last(target: str | None, of: str) -> None:
    assert user(TWO, target=target) == of


@pytest.mark.parametrize("text", ["", "ARG A=1\n# FROM python\n", "RUN <<END\nFROM python\nEND\n"])
def test_without_a_from_there_is_no_stage(text: str) -> None:
    assert dockerfile.stages(text, args={}) == []


def test_a_target_that_is_not_there_is_no_stage() -> None:
    assert dockerfile.built(dockerfile.stages(TWO, args={}), target="test") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM python", None),
        ("FROM scratch", "root"),
        ("FROM python\nUSER django", "django"),
        ("from python\r\nuser\tdjango:web\r\n", "django"),
        ('FROM python\nUSER "1000"', "1000"),
        ("FROM python\nUSER 1\n# USER 2\n  # USER 3", "1"),
        ("FROM python\nUSER 1\nUSER 2", "2"),
        ("FROM python\nUSER 1\nFROM python", None),
        ("FROM python\nUSER \\\n  1", "1"),
        # What a stage inherits from another one.
        ("FROM python AS base\nUSER 1\nFROM base", "1"),
        ("FROM python AS base\nUSER 1\nFROM --platform=linux/amd64 BASE as run\nUSER 2", "2"),
        ("ARG OF=base\nFROM python AS base\nUSER 1\nFROM ${OF}", "1"),
        # What only looks like an instruction.
        ("FROM python\nRUN echo \\\nUSER 1", None),
        ("FROM python\nRUN echo \\\n# a comment\n\nUSER 1", None),
        ("# syntax=docker/dockerfile:1\n# escape=`\nFROM python\nRUN echo `\nUSER 1\nRUN dir C:\\\nUSER 2", "2"),
        ("FROM python\nRUN <<EOF cat\nUSER 1\nEOF\n", None),
        ("FROM python\nCOPY <<-'A' <<B /x/\nUSER 1\n\tA\nUSER 2\nB\nUSER 3", "3"),
        # Variables.
        ("FROM python\nARG ID=1\nUSER $ID", "1"),
        ("FROM python\nARG ID=1 NAME=a\nENV UID=${ID}\nUSER ${UID}:${NAME}", "1"),
        ("FROM python\nENV NAME django\nUSER $NAME", "django"),
        ("ARG ID=1\nFROM python\nARG ID\nUSER $ID", "1"),
        ("ARG ID=1\nFROM python\nUSER $ID", None),
        ("FROM python\nUSER ${ID:-7}", "7"),
        ("FROM python\nUSER 1\nUSER $OF_THE_BASE", None),
        ("FROM python AS base\nARG ID=1\nFROM base\nUSER $ID", "1"),
    ],
)
def test_the_user_is_what_the_last_instruction_says_or_unknown(text: str, expected: str | None) -> None:
    assert user(text) == expected


def test_an_argument_that_is_given_counts_where_it_is_declared() -> None:
    text = "ARG OF=a\nFROM python AS a\nUSER 1\nFROM python AS b\nARG ID=2\nUSER $ID\nFROM $OF"
    assert [user(text), user(text, OF="b"), user(text, OF="b", ID="3")] == ["1", "2", "3"]
    assert user("FROM python\nUSER $ID", ID="3") is None
