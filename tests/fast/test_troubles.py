"""The troubleshooting page: a test provokes each heading; those about settings are provoked here."""

from pathlib import Path
from typing import Any

import pytest

from infra.config import ConfigError, load
from tests.example import Inputs
from tests.fast.graph import ABSENT, changed
from tests.recorder import PROJECT, record
from tests.troubles import PAGE, TROUBLES, in_tests, on_pages, provoked

ROOT_IMAGE, NAMED_USER = "Root", "Named"
"""Dockerfiles beside the valid one."""

OF_SETTINGS: dict[str, dict[str, Any]] = {
    "…: found an unknown key": {"namspace": "web"},
    "…: found a key that has moved": {"host": "www.dev.example.com"},
    "…: found a key that was set without --path": {f"{PROJECT}:registry.password": "swordfish"},
    "aws:profile: found a key that this program does not use": {"aws:profile": "prod"},
    "…, without quotes": {"app.port": "8000"},
    "…, as a string: in quotes": {"app.env": {"WORKERS": 2}},
    "registry.password: found neither": {"registry.passwordFile": ABSENT},
    "…: found plain text": {"app.secrets": {"TOKEN": "a-token-in-plain-text"}},
    "registry.server: found …, expected the host alone": {"registry.server": "https://r.example.com"},
    'image.tag: found "latest"': {"image.tag": "latest"},
    "image.dockerfile: found": {"image.context": "docs"},
    "app.user: found nothing": {"image.dockerfile": NAMED_USER},
    "app.root: found nothing": {"image.dockerfile": ROOT_IMAGE},
    "app.command: found …, expected a list of words": {"app.command": "gunicorn shop"},
    "hosts[…]: found …, expected the domain": {"hosts": ["www.example.com"]},
    "certificateArn: found …, expected the ARN of a certificate in": {
        "certificateArn": "arn:aws:acm:eu-west-1:000000000000:certificate/0f"
    },
    "cluster.kubeconfigFile: found": {"cluster.kubeconfigFile": "none/kubeconfig"},
    "app.tlsSecret: found nothing": {"cluster.balancer": "none"},
}
"""By heading, the changes to a valid configuration that provoke it. A key with a colon is passed unchanged."""


@pytest.mark.parametrize("heading", OF_SETTINGS)
def test_a_setting_is_refused_in_the_words_of_the_page(config: Inputs, heading: str) -> None:
    for file, user in {ROOT_IMAGE: "root", NAMED_USER: "django"}.items():
        Path(config["image"]["context"], file).write_text(f"FROM base\nUSER {user}\n")
    beside = {key: each for key, each in OF_SETTINGS[heading].items() if ":" in key}
    inside = {key: each for key, each in OF_SETTINGS[heading].items() if ":" not in key}
    values = {f"{PROJECT}:{key}": each for key, each in changed(config, inside).items()} | beside
    with pytest.raises(ConfigError) as error:
        record(load, values=values)
    [problem] = error.value.problems
    provoked(heading, str(problem))


def test_every_heading_of_the_page_is_provoked_and_nothing_else_is_said_to_be() -> None:
    assert len(TROUBLES) == len(set(TROUBLES)) >= 25
    assert set(TROUBLES) == OF_SETTINGS.keys() | in_tests() | on_pages(), PAGE
