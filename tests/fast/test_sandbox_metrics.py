"""Only a stack whose file has `app.scale.max` asks for metrics."""

from pathlib import Path

import pytest

from sandbox.layout import Layout
from sandbox.services import metrics


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("config: {ejemplo-django:app: {scale: {min: 1, max: 3}}}", True),
        ("config: {ejemplo-django:app: {scale: {min: 3}}}", False),
        ("config: {ejemplo-django:app: {scale: 3}}", False),
        ("config: {ejemplo-django:app: shop}", False),
        ("config: {}", False),
        ("", False),
        ("config: {", False),
    ],
)
def test_a_stack_asks_by_its_file(tmp_path: Path, text: str, asked: bool) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text(text)
    assert metrics.asked_for(Layout(tmp_path), "local") is asked
