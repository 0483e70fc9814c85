"""What the tests of the operations share."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml

from ops import engine
from sandbox import toolchain
from sandbox.layout import here
from tests.fast.graph import KUBECONFIG, ROOT

PASSPHRASE = "passphrase-of-the-tests"


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The engine: the one in the sandbox's cache, or one on PATH."""
    (tool,) = (each for each in toolchain.TOOLS if each.module == "pulumi")
    cached = here().cache / "toolchain" / f"{tool.module}-{tool.version}" / "pulumi"
    found = str(cached) if cached.exists() else shutil.which("pulumi")
    if found is None:
        # Not skipped: what needs it would go untested, and nobody would notice.
        pytest.fail("no pulumi in the sandbox's cache or on PATH: `python -m sandbox toolchain` brings one")
    return Path(found)


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
