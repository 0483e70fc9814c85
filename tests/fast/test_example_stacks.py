"""The stack files to copy: the program accepts each unchanged, once its only secret is set."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import remains
from tests.example import KUBECONFIG, PASSWORD
from tests.recorder import PROJECT, ROOT, declare

FILES = sorted((ROOT / "examples" / "stacks").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_program_accepts_it(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(KUBECONFIG)
    given: dict[str, Any] = yaml.safe_load(file.read_text())["config"]
    assert given.pop("pulumi:disable-default-providers") == ["aws", "kubernetes"]
    config = {key.removeprefix(f"{PROJECT}:"): value for key, value in given.items()}
    encrypted = []
    if "server" in config["registry"]:
        config["registry"]["password"] = PASSWORD
        encrypted = ["registry"]
    graph = declare(config, encrypted=encrypted, preview=True)
    assert graph.of("Deployment")
    # After an interrupted run, every resource can be found again.
    made = {each.type for each in graph.resources if not each.type.startswith("pulumi:providers:")}
    assert {each for each in made if not remains.searchable(each)} == set()
    # The tag by which the user finds the stack's resources in AWS.
    assert config["aws"]["tags"]["stack"] in config["domain"]
