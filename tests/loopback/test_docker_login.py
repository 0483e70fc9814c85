"""The checks of a login and of a digest, with docker's own command line and a real registry on loopback."""

import asyncio
import contextlib
import hashlib
import inspect
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pulumi
import pytest
import requests
import trustme
import yaml

from infra import docker_login
from infra.pushed import _PushedProvider
from infra.registry import LoginRefusedError
from tests.example import Inputs
from tests.fast.graph import changed
from tests.recorder import declare
from tests.troubles import provoked

USER, PASSWORD = "ci", "correct horse"
IMAGE = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True)
class Registry:
    """A registry with one image in it."""

    server: str
    digest: str

    def checked(self, digest: str, *, password: str = PASSWORD, last: str = "", **more: Any) -> list[str]:
        """Return why an image with that digest is refused; `last` is the digest of the image before it."""
        login = {"server": self.server, "username": USER, "password": password}
        news = {"image": f"{self.server}/site@{digest}", "key": "image.digest", "login": login, **more}
        olds = {"image": f"{self.server}/site@{last}"} if last else {}
        result = _PushedProvider().check(olds, news)
        assert password not in json.dumps(result.inputs), "the login is kept"
        return [each.reason for each in result.failures]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Run a registry that accepts the user's password; docker trusts its certificate."""
    binary = shutil.which("docker-registry")
    assert binary, "docker-registry is not installed; `make toolchain` installs it"
    folder = tmp_path_factory.mktemp("registry")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA).private_key_and_cert_chain_pem.write_to_path(
        folder / "server.pem"
    )
    (folder / "users").write_text(f"{USER}:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{probe.getsockname()[1]}"
    pem = str(folder / "server.pem")
    content = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": server, "tls": {"certificate": pem, "key": pem}},
        "auth": {"htpasswd": {"realm": "tests", "path": str(folder / "users")}},
    }
    (folder / "registry.yaml").write_text(yaml.safe_dump(content))
    with (folder / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        # Without a daemon, docker logs in by itself.
        patch.setenv("DOCKER_HOST", f"unix://{folder / 'none.sock'}")
        patch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        process = subprocess.Popen([binary, "serve", str(folder / "registry.yaml")], stdout=log, stderr=log)
        try:
            with requests.Session() as session:
                session.trust_env = False  # the environment may name other authorities
                session.auth, session.verify = (USER, PASSWORD), str(folder / "ca.pem")
                _await(session, f"https://{server}/v2/")
                yield Registry(server, _push(session, f"https://{server}"))
        finally:
            process.kill()
            process.wait()


def _await(session: requests.Session, url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            session.get(url, timeout=5).raise_for_status()
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.05)
        else:
            return


def _push(session: requests.Session, url: str) -> str:
    """Push an image without layers; return its digest."""
    config = b"{}"
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    place = session.post(f"{url}/v2/site/blobs/uploads/", timeout=10).headers["Location"]
    session.put(place, params={"digest": digest}, data=config, timeout=10).raise_for_status()
    of = {"mediaType": f"{IMAGE}.config.v1+json", "size": len(config), "digest": digest}
    kind = f"{IMAGE}.manifest.v1+json"
    manifest = json.dumps({"schemaVersion": 2, "mediaType": kind, "config": of, "layers": []})
    headers = {"Content-Type": kind}
    answer = session.put(f"{url}/v2/site/manifests/v1", data=manifest, headers=headers, timeout=10)
    answer.raise_for_status()
    return str(answer.headers["Docker-Content-Digest"])


def test_a_wrong_password_is_told_from_a_registry_that_is_not_there(registry: Registry) -> None:
    assert docker_login.ask(registry.server, USER, PASSWORD).returncode == 0
    wrong = docker_login.ask(registry.server, USER, "wrong")
    assert wrong.returncode != 0
    assert docker_login.is_refused(wrong)
    nobody = docker_login.ask("127.0.0.1:9", USER, PASSWORD)
    assert nobody.returncode != 0
    assert not docker_login.is_refused(nobody)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_a_pull_secret_that_opens_nothing_is_refused_by_its_key(
    registry: Registry, config: Inputs, tmp_path: Path, password: str
) -> None:
    (tmp_path / "password").write_text(password)
    graph = declare(changed(config, {"registry.server": registry.server, "registry.username": USER}))
    [hook] = [each for each in graph.hooks if each.name == "regcred-login"]
    called = hook(pulumi.ResourceHookArgs(urn="", id="", name="", type=""))
    assert inspect.isawaitable(called)
    refused = pytest.raises(LoginRefusedError, match=r"^registry\.password: ")
    with contextlib.nullcontext() if password == PASSWORD else refused as failed:
        asyncio.run(called)  # type: ignore[arg-type]  # it is a coroutine
    if failed:
        provoked("registry.password: … refuses the login of", str(failed.value))


NONE = f"sha256:{'0' * 64}"


def test_a_digest_that_the_registry_does_not_have_is_refused_by_its_key(registry: Registry) -> None:
    assert registry.checked(registry.digest) == []
    [said] = registry.checked(NONE)
    provoked("image.digest: found …, which the registry does not have", said)
    assert said.startswith("image.digest: ")


def test_the_last_digest_is_asked_for_no_more(registry: Registry) -> None:
    assert registry.checked(NONE, last=NONE) == []


def test_what_a_registry_does_not_say_is_a_warning(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    assert registry.checked(NONE, password="wrong") == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert registry.checked(NONE) == []
    assert len(said) == 2


def test_of_ecr_all_digests_are_known_already(registry: Registry) -> None:
    assert registry.checked(NONE, digests=[registry.digest])
    assert registry.checked(registry.digest, digests=[registry.digest]) == []
