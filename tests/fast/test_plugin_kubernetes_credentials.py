"""The token that a kubeconfig has a program for: when it is asked, and what is said when it gives none."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox.plugins.kubernetes.credentials import ExecToken
from sandbox.plugins.kubernetes.provider import PLUGIN
from sandbox.plugins.resource import PluginError
from tests.fast.api_server import api_server
from tests.fast.plugin_engine import Resource, engine, urn

VERSION = "client.authentication.k8s.io/v1beta1"


class Program:
    """A credential program that numbers its answers, and counts its runs by them."""

    def __init__(self, folder: Path, *, lives: timedelta | None = None, version: str = VERSION) -> None:
        ends = (
            {} if lives is None else {"expirationTimestamp": (datetime.now(UTC) + lives).strftime("%Y-%m-%dT%H:%M:%SZ")}
        )
        answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": {"token": "@", **ends}})
        self._runs = folder / "runs"
        self._runs.write_text("")
        self.path = folder / "program"
        self.path.write_text(
            f"#!/bin/sh\necho x >> {self._runs}\nn=$(grep -c x {self._runs})\necho '{answer}' | sed \"s/@/$1$n/\"\n"
        )
        self.path.chmod(0o755)

    @property
    def runs(self) -> int:
        return len(self._runs.read_text().split())

    def config(self, **more: Any) -> dict[str, Any]:
        return {"apiVersion": VERSION, "command": str(self.path), "args": ["token-"], **more}


def test_the_program_runs_once_for_as_long_as_its_token_lasts(tmp_path: Path) -> None:
    program = Program(tmp_path, lives=timedelta(minutes=14))
    token = ExecToken(program.config())
    assert program.runs == 0
    assert [token.get(), token.get(), token.get()] == ["token-1"] * 3
    assert program.runs == 1


def test_a_token_without_an_end_lasts(tmp_path: Path) -> None:
    program = Program(tmp_path)
    token = ExecToken(program.config())
    assert [token.get(), token.get()] == ["token-1", "token-1"]


def test_a_token_about_to_end_is_not_begun_with(tmp_path: Path) -> None:
    token = ExecToken(Program(tmp_path, lives=timedelta(seconds=10)).config())
    assert [token.get(), token.get()] == ["token-1", "token-2"]


def test_a_refused_token_is_asked_for_anew_once(tmp_path: Path) -> None:
    program = Program(tmp_path, lives=timedelta(minutes=14))
    token = ExecToken(program.config())
    first = token.get()
    # Two requests were refused with the same token: the second finds the new one.
    assert [token.get(refused=first), token.get(refused=first)] == ["token-2", "token-2"]
    assert program.runs == 2


def test_the_environment_of_the_kubeconfig_counts(tmp_path: Path) -> None:
    script = tmp_path / "program"
    answer = json.dumps({"apiVersion": VERSION, "kind": "ExecCredential", "status": {"token": "$WHO"}})
    script.write_text(f"#!/bin/sh\ncat <<END\n{answer}\nEND\n")
    script.chmod(0o755)
    config = {"apiVersion": VERSION, "command": str(script), "env": [{"name": "WHO", "value": "me"}]}
    assert ExecToken(config).get() == "me"


def test_a_program_that_is_missing_is_named_with_where_to_get_it() -> None:
    config = {"apiVersion": VERSION, "command": "aws-that-is-nowhere", "installHint": "See https://example.com/aws."}
    with pytest.raises(
        PluginError, match=r"`aws-that-is-nowhere`, which is not on PATH\. See https://example\.com/aws"
    ):
        ExecToken(config).get()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'no credentials' >&2; exit 255", "ended with 255: no credentials"),
        ("echo what", "gave no token"),
        ('echo \'{"apiVersion": "v1", "status": {"token": "secret-token"}}\'', "its apiVersion is v1, not"),
        (f'echo \'{{"apiVersion": "{VERSION}", "status": {{}}}}\'', "KeyError: 'token'"),
    ],
)
def test_a_program_that_gives_no_token_is_an_error_that_says_why(tmp_path: Path, script: str, words: str) -> None:
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    with pytest.raises(PluginError) as refused:
        ExecToken({"apiVersion": VERSION, "command": str(path)}).get()
    assert words in str(refused.value)
    assert "secret-token" not in str(refused.value)


def test_the_provider_comes_in_with_the_programs_token_and_renews_one_that_is_refused(tmp_path: Path) -> None:
    program = Program(tmp_path, lives=timedelta(minutes=14))
    with api_server() as world:
        config = json.loads(world.kubeconfig())
        config["users"][0]["user"] = {"exec": program.config()}
        world.objects["/api/v1/namespaces/default/secrets/one"] = {"metadata": {"name": "one"}, "data": {}}
        secret = Resource(urn=urn("kubernetes:core/v1:Secret"), id="default/one", inputs={}, state={})
        with engine(PLUGIN, kubeconfig=json.dumps(config)) as provider:
            world.token = "token-1"
            assert provider.refresh(secret) is not None
            world.token = "token-2"
            assert provider.refresh(secret) is not None
            world.token = "nobody has it"
            with pytest.raises(Exception, match=r"does not let these credentials in \(401\)"):
                provider.refresh(secret)
        assert program.runs == 3
