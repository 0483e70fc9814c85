"""Private files in the image: what a Dockerfile copies from its context, except what .dockerignore leaves out."""

import asyncio
from pathlib import Path

import pulumi
import pytest

from infra.context import suspects
from tests.example import Inputs
from tests.fast.graph import changed, refused
from tests.recorder import declare
from tests.troubles import provoked

FILES = ("manage.py", ".env", ".env.example", "certs/site.pem", ".sandbox/secrets/password", ".sandbox/ca.crt")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Create a context with secrets; its Dockerfile copies all of it."""
    folder = tmp_path / "shop"
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "Dockerfile").write_text("FROM base\nUSER 10001\nCOPY . /srv\n")
    return folder


@pytest.fixture
def given(config: Inputs, shop: Path) -> Inputs:
    """Return the configuration of a stack whose password is in a file in the context."""
    password = shop / ".sandbox/secrets/password"
    password.write_text("password")
    return changed(config, {"image.context": str(shop), "registry.passwordFile": str(password)})


def found(shop: Path) -> list[str]:
    return suspects(str(shop), str(shop / "Dockerfile"))


def test_what_is_called_like_a_secret_is_named_a_folder_once(shop: Path) -> None:
    assert found(shop) == [".env", ".sandbox", "certs/site.pem"]


def test_a_file_that_the_stack_itself_names_is_refused(given: Inputs) -> None:
    (problem,) = refused(given)
    provoked("image.context: found …, expected a directory without", str(problem))
    assert "registry.passwordFile" in problem.expected
    assert ".dockerignore" in problem.expected
    assert refused(changed(given, {"image.digest": f"sha256:{'0' * 64}"})) == (), "nothing is built"


@pytest.mark.parametrize("ignore", [".dockerignore", "Dockerfile.dockerignore"])
def test_what_is_left_out_is_no_matter(given: Inputs, shop: Path, ignore: str) -> None:
    (shop / ignore).write_text("# all of it\n*\n!manage.py\n!certs\n")
    assert refused(given) == ()
    assert found(shop) == ["certs/site.pem"]


@pytest.mark.parametrize(
    "copy",
    [
        "COPY manage.py certs* /srv/",
        'COPY --chown=1:1 ["manage.py", "./certs/*.pem", "/srv/"]',
        "COPY --from=build . /srv\nCOPY manage.py /certs/ \\\n  /srv",
        "COPY <<END /srv/a\nCOPY . /srv\nEND\nADD certs /srv",
    ],
)
def test_so_is_what_no_instruction_copies(given: Inputs, shop: Path, copy: str) -> None:
    (shop / "Dockerfile").write_text(f"FROM base\nUSER 10001\n{copy}\n")
    assert refused(given) == ()
    assert found(shop) == ["certs/site.pem"]


@pytest.mark.parametrize("copy", ["ADD . /srv", "COPY / /srv", "COPY .s* /srv", "COPY $WHAT /srv", "COPY [. /srv"])
def test_what_may_be_copied_counts(given: Inputs, shop: Path, copy: str) -> None:
    (shop / "Dockerfile").write_text(f"FROM base\nUSER 10001\n{copy}\n")
    assert [each.key for each in refused(given)] == ["image.context"]


def test_the_warning_comes_when_there_is_something_to_build(
    config: Inputs, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warned.append)
    graph = declare(changed(config, {"image.context": str(shop)}))
    warned.clear()
    (hook,) = (each for each in graph.hooks if each.name == "app-secrets")
    called = hook(pulumi.ResourceHookArgs(urn="", id="", name="", type=""))
    asyncio.run(called)  # type: ignore[arg-type]  # it is a coroutine
    (said,) = warned
    assert "image.context" in said
    assert "certs/site.pem" in said
