"""The stack files to copy: the program accepts each as it is, once its one secret is set."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fast.graph import KUBECONFIG, PASSWORD, PROJECT, ROOT, declare

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
    # By it `make down` tells what the stack made from what another did.
    assert config["aws"]["tags"]["stack"] in config["domain"]
