"""What the tests of the operations share."""

import sys
from pathlib import Path

import pytest
import yaml

from ops import engine
from tests.fast.graph import KUBECONFIG, ROOT
from tests.tools import tools

PASSPHRASE = "passphrase-of-the-tests"


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The engine."""
    return tools()["pulumi"]


@pytest.fixture
def project(pulumi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and an environment in which no other backend is."""
    monkeypatch.setenv("PATH", f"{pulumi.parent}:{Path(sys.executable).parent}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", PASSPHRASE)
    folder = tmp_path / "project"
    folder.mkdir()
    # Without the program's runtime options, which name a virtual environment.
    description = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(description | {"runtime": "python"}))
    (folder / "app").mkdir()
    (folder / "app" / "Dockerfile").touch()
    (folder / "kubeconfig").write_text(KUBECONFIG)
    monkeypatch.setattr(engine, "PROJECT", folder)
    return folder
