"""ECR's registry in front of a real one: what the API knows is what was kept, and tags stay where they should."""

import hashlib
import json
import shutil
import socket
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
import yaml
from requests.adapters import HTTPAdapter
from urllib3.util import Retry
from werkzeug.test import Client, TestResponse

from sandbox import addresses
from sandbox.aws.ecr_registry import USER, Registry, new_password
from sandbox.layout import Layout
from tests.aws_server import aws_server

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry on loopback."""
    program = shutil.which("docker-registry")
    assert program, "docker-registry is not installed; `make toolchain` installs it"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("registry")
    storage = {"filesystem": {"rootdirectory": str(folder / "blobs")}}
    (folder / "registry.yaml").write_text(
        yaml.safe_dump({"version": 0.1, "storage": storage, "http": {"addr": address}})
    )
    with subprocess.Popen([program, "serve", str(folder / "registry.yaml")], stderr=subprocess.DEVNULL) as process:
        try:
            with requests.Session() as waiting:
                waiting.trust_env = False
                waiting.mount("http://", HTTPAdapter(max_retries=Retry(connect=10, backoff_factor=0.1)))
                waiting.get(f"http://{address}/v2/", timeout=5).raise_for_status()
            yield f"http://{address}"
        finally:
            process.terminate()


@pytest.fixture
def ecr(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The API, with a repository `fixed` whose tags are immutable, and one `moving`."""
    with aws_server() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        client = boto3.client("ecr", region_name=addresses.REGION)
        client.create_repository(repositoryName="fixed", imageTagMutability="IMMUTABLE")
        client.create_repository(repositoryName="moving")
        yield client
        for name in ("fixed", "moving"):
            client.delete_repository(repositoryName=name, force=True)


class Docker:
    """What docker push sends, with a password that AWS gave."""

    def __init__(self, layout: Layout, registry: Registry) -> None:
        login = b64encode(f"{USER}:{new_password(layout)[0]}".encode()).decode()
        self._client, self._headers = Client(registry), {"Authorization": f"Basic {login}"}

    def blob(self, repository: str, content: bytes) -> dict[str, Any]:
        """Push a blob; a manifest names it so."""
        begun = self._client.post(f"/v2/{repository}/blobs/uploads/", headers=self._headers)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = begun.headers["Location"].partition("/v2/")[2]
        ended = self._client.put(f"/v2/{path}&digest={digest}", data=content, headers=self._headers)
        assert ended.status_code == 201, ended.text
        return {"mediaType": CONFIG, "size": len(content), "digest": digest}

    def manifest(self, repository: str, tag: str, config: dict[str, Any]) -> TestResponse:
        """Push the manifest of an image without layers."""
        content = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []}
        return self._client.put(
            f"/v2/{repository}/manifests/{tag}",
            data=json.dumps(content),
            headers=self._headers | {"Content-Type": MANIFEST},
        )


@pytest.fixture
def docker(ecr: Any, behind: str, tmp_path: Path) -> Docker:
    """A client of ECR's registry."""
    layout = Layout(tmp_path)
    layout.secrets.mkdir(parents=True)
    layout.ecr_key.write_text("a key")
    return Docker(layout, Registry(layout, behind=behind))


def images(ecr: Any, repository: str) -> list[tuple[str, str]]:
    return [(each["imageTag"], each["imageDigest"]) for each in ecr.list_images(repositoryName=repository)["imageIds"]]


@pytest.mark.parametrize("repository", ["fixed", "moving"])
def test_the_api_knows_an_image_that_was_pushed(ecr: Any, docker: Docker, repository: str) -> None:
    pushed = docker.manifest(repository, "v1", docker.blob(repository, b"{}"))

    assert pushed.status_code == 201
    assert images(ecr, repository) == [("v1", pushed.headers["Docker-Content-Digest"])]


def test_the_api_does_not_know_an_image_whose_push_failed(ecr: Any, docker: Docker) -> None:
    missing = {"mediaType": CONFIG, "size": 2, "digest": f"sha256:{'0' * 64}"}

    assert docker.manifest("fixed", "v1", missing).status_code == 400
    assert images(ecr, "fixed") == []


@pytest.mark.parametrize("content", [b"{}", b'{"os": "linux"}'], ids=["the same image", "another image"])
def test_an_immutable_tag_stays_where_it_is(ecr: Any, docker: Docker, content: bytes) -> None:
    first = docker.manifest("fixed", "v1", docker.blob("fixed", b"{}"))

    assert docker.manifest("fixed", "v1", docker.blob("fixed", content)).status_code == 400
    assert images(ecr, "fixed") == [("v1", first.headers["Docker-Content-Digest"])]


def test_a_mutable_tag_moves_and_can_be_pushed_again(ecr: Any, docker: Docker) -> None:
    docker.manifest("moving", "v1", docker.blob("moving", b"{}"))
    config = docker.blob("moving", b'{"os": "linux"}')

    moved, again = docker.manifest("moving", "v1", config), docker.manifest("moving", "v1", config)

    assert (moved.status_code, again.status_code) == (201, 201)
    assert ("v1", moved.headers["Docker-Content-Digest"]) in images(ecr, "moving")
    assert len([tag for tag, _ in images(ecr, "moving") if tag == "v1"]) == 1
