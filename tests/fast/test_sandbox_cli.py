"""What the command line says of the machine: which plugins run, and what stays after the end."""

from pathlib import Path

import pytest

from sandbox import cli, environment, toolchain
from sandbox.layout import Layout
from sandbox.toolchain import Found


@pytest.mark.parametrize(("source", "origin"), [("build", "built: "), ("download", "official"), ("path", "from /")])
def test_each_plugin_is_shown_with_its_origin(
    source: str, origin: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = Layout(tmp_path)
    layout.bin.mkdir(parents=True)
    found = []
    for tool in toolchain.TOOLS:
        binaries = {name: tmp_path / tool.name / name for name in tool.binaries}
        for binary in binaries.values():
            binary.parent.mkdir(exist_ok=True)
            binary.touch()
        found.append(Found(tool=tool, source=source, binaries=binaries))
    environment.write(layout, found)

    cli._plugins(layout)

    shown = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert set(shown) == {"resource-aws", "resource-kubernetes", "resource-docker", "language-python"}
    assert origin in shown["resource-aws"]
    assert origin in shown["resource-kubernetes"]
    # Beside a built engine there is neither an official language host nor an official docker plugin.
    assert "stand-in" in shown["resource-docker"]
    assert "stand-in" in shown["language-python"]


def test_the_end_names_gos_caches_where_there_is_a_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cli._kept(Layout(tmp_path))
    assert capsys.readouterr().out == ""

    (tmp_path / "go").touch(mode=0o755)
    cli._kept(Layout(tmp_path))
    assert "go clean -cache -modcache" in capsys.readouterr().out
