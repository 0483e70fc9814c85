"""Settings that take their value from an output of another stack."""

import pulumi
import pytest

from infra import stacks
from tests import example
from tests.fast.plugin_engine import secret
from tests.recorder import Graph, Secret, run

STACK = "organization/other/prod"


def read(*outputs: str) -> Graph:
    """Run a program that reads outputs of the other stack, each for its own setting, and exports them."""

    def program() -> None:
        for name in outputs:
            pulumi.export(name, stacks.output(f"{STACK}#{name}", key=f"app.{name}"))

    return run(program, config={}, preview=True)


def test_a_text_is_read_in_a_preview_too_and_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"url": "https://queue.example.com", "token": secret("hunter2")}
    state = {"name": STACK, "outputs": given, "secretOutputNames": ["token"]}
    monkeypatch.setitem(example.READS, "pulumi:pulumi:StackReference", lambda *_: state)
    assert read("url", "token").exports == {"url": given["url"], "token": Secret("hunter2")}


@pytest.mark.parametrize("name", ["misspelt", "admin"])
def test_what_is_no_text_is_refused_by_the_key(name: str) -> None:
    with pytest.raises(stacks.StackOutputError, match=rf"app\.{name}: .*{name}.*{STACK}") as refusal:
        read(name)
    assert "kubeconfig-token" not in str(refusal.value)
