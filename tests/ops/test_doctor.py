"""What is missing or wrong is named, with the command that mends it: each fault is a real one, on loopback."""

import base64
import json
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import boto3
import pytest
import requests
import yaml
from pydantic import SecretStr

from infra.cluster.eks.settings import EksNodeGroup, EksSettings
from infra.cluster.existing.settings import ExistingSettings
from infra.cluster.kops.settings import KopsSettings
from infra.finding import Finding, State
from infra.settings.aws import Aws
from infra.settings.delegation import DelegationSettings
from infra.settings.image import Image, Platform
from infra.settings.registry import LoginRegistry
from ops import doctor, engine, settings
from ops.doctor import cloud, images, machine
from ops.errors import OpsError
from tests.aws_server import aws_server
from tests.fast.graph import ABSENT, ROOT, Inputs, changed
from tests.loopback.name_servers import RESOLVER, Server, serving

USER, PASSWORD = "ci", "correct horse"
DOMAIN = "dev.example.com"


def is_a(finding: Finding, state: State, *, found: str, mend: str = "") -> None:
    """Hold a finding against what it must be, and must say."""
    assert finding.state == state, finding
    assert found in finding.found, finding
    assert mend in finding.mend, finding
    assert not finding.bad or finding.mend, "what is bad has a way to mend it"


# This machine.


def distribution(project: Path, name: str, version: str, *, plugin: str = "") -> None:
    """Install a package, as far as its metadata goes, in the project's virtual environment."""
    packages = project / ".venv" / "lib" / "python3.11" / "site-packages"
    info = packages / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if plugin:
        (packages / name).mkdir()
        said = {"resource": True, "name": plugin, "version": version}
        (packages / name / "pulumi-plugin.json").write_text(json.dumps(said))
        (info / "RECORD").write_text(f"{name}/pulumi-plugin.json,,\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with what it requires."""
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\nrich[extra]==1.0\n")
    (tmp_path / "requirements.txt").write_text("# the program\npulumi==3.259.0\npulumi-aws==7.51.1\n")
    distribution(tmp_path, "pulumi", "3.259.0")
    distribution(tmp_path, "pulumi_aws", "7.51.1", plugin="aws")
    distribution(tmp_path, "rich", "1.0")
    monkeypatch.setattr(engine, "PROJECT", tmp_path)
    return tmp_path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, but for what scripts need."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def command(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_an_old_python_is_named() -> None:
    is_a(machine.python((3, 10, 9)), State.WRONG, found="3.10.9", mend="PYTHON=python3.11")
    is_a(machine.python((3, 13, 0)), State.OK, found="3.13.0")


def test_packages_as_required_are_fine(project: Path) -> None:
    is_a(machine.packages(), State.OK, found="3 as")


def test_a_missing_package_is_named(project: Path) -> None:
    (project / "requirements.txt").write_text("pulumi==3.259.0\nnot-there==1.0\n")
    is_a(machine.packages(), State.MISSING, found="not-there is missing", mend="pip install -r")


def test_a_package_of_another_version_is_named_with_both(project: Path) -> None:
    (project / "requirements.txt").write_text("pulumi==3.260.0\n")
    is_a(machine.packages(), State.WRONG, found="pulumi 3.259.0, not 3.260.0", mend="pip install -r")


def test_no_virtual_environment_is_named(project: Path) -> None:
    shutil.rmtree(project / ".venv")
    is_a(machine.packages(), State.MISSING, found=".venv", mend="python3 -m venv .venv")


def test_no_pulumi_on_path_is_named(project: Path, path: Path) -> None:
    is_a(machine.cli(), State.MISSING, found="PATH", mend="--version 3.259.0")


@pytest.mark.parametrize(
    ("version", "state"),
    [("v3.258.9", State.WRONG), ("v4.0.0", State.WRONG), ("v3.259.0", State.OK), ("v3.260.1", State.OK)],
)
def test_pulumi_must_be_no_older_than_the_sdk(project: Path, path: Path, version: str, state: State) -> None:
    command(path, "pulumi", f"echo {version}")
    is_a(machine.cli(), state, found=version.removeprefix("v"))


def test_a_missing_plugin_and_one_of_another_version_are_named(project: Path, path: Path) -> None:
    command(path, "pulumi", "echo []")
    command(path, "pulumi-language-python", "")
    missing, host = machine.plugins()
    is_a(missing, State.MISSING, found="7.51.1", mend="pulumi plugin install resource aws 7.51.1")
    assert host.state == State.OK
    listed = json.dumps([{"name": "aws", "kind": "resource", "version": "7.0.0"}])
    command(path, "pulumi", f"echo '{listed}'")
    is_a(machine.plugins()[0], State.WRONG, found="7.0.0, not 7.51.1", mend="resource aws 7.51.1")


def test_a_missing_language_host_is_named(project: Path, path: Path) -> None:
    command(path, "pulumi", "echo []")
    is_a(machine.plugins()[-1], State.MISSING, found="pulumi-language-python", mend="get.pulumi.com")


def kops() -> KopsSettings:
    """The cluster of the stack `dev`."""
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]["ejemplo-django:cluster"]
    return KopsSettings.model_validate_json(json.dumps(config))


def test_each_driver_needs_its_own_command_and_kops_one_that_knows_the_kubernetes(path: Path) -> None:
    is_a(machine.driver(kops()), State.MISSING, found="kops cannot be run", mend="releases/latest/download/kops-")
    command(path, "kops", "echo 1.31.0")
    is_a(machine.driver(kops()), State.WRONG, found="1.31.0, which is too old", mend="kops-")
    command(path, "kops", "echo 1.36.1")
    assert machine.driver(kops()).state == State.OK
    eks = EksSettings(
        driver="eks",
        name="c",
        kubernetes_version="1.35",
        zones=("us-east-1a", "us-east-1b"),
        nodes=(EksNodeGroup(name="nodes", machine_type="t3.medium", min=1, max=1),),
    )
    is_a(machine.driver(eks), State.MISSING, found="no `aws` on PATH", mend="AWS CLI")
    command(path, "aws", "echo")
    assert machine.driver(eks).state == State.OK
    existing = ExistingSettings(driver="existing", name="c", kubeconfig_stack="organization/other/prod")
    assert machine.driver(existing).state == State.NOT_NEEDED


# The configuration.


def refused(config: Inputs, tmp_path: Path) -> Finding:
    values = {
        f"ejemplo-django:{key}": each if isinstance(each, str) else json.dumps(each) for key, each in config.items()
    }
    with pytest.raises(OpsError) as error:
        settings.checked(values, encrypted=[], stack="dev")
    return doctor.refused(error.value, "dev")


@pytest.mark.parametrize(
    ("changes", "found", "mend"),
    [
        ({"domain": "localhost"}, 'domain: found "localhost"', "pulumi config set --stack dev --path domain"),
        (
            {"namspace": "web"},
            "namspace: found an unknown key, expected namespace",
            "pulumi config rm --stack dev --path namspace",
        ),
        (
            {"registry.passwordFile": ABSENT, "registry.password": "hunter2"},
            "registry.password",
            "set --stack dev --secret --path registry.password",
        ),
    ],
)
def test_a_refused_setting_is_named_by_its_key(
    config: Inputs, tmp_path: Path, changes: dict[str, Any], found: str, mend: str
) -> None:
    finding = refused(changed(config, changes), tmp_path)
    is_a(finding, State.WRONG, found=found, mend=mend)
    assert "hunter2" not in finding.found


@pytest.mark.parametrize(
    ("said", "state", "mend"),
    [
        ("error: no stack named 'dev' found", State.MISSING, "make new-stack STACK=dev"),
        ("error: incorrect passphrase", State.WRONG, "PULUMI_CONFIG_PASSPHRASE"),
        ("error: PULUMI_ACCESS_TOKEN must be set for login", State.MISSING, "pulumi login"),
    ],
)
def test_why_pulumi_gives_no_configuration_is_told_apart(said: str, state: State, mend: str) -> None:
    is_a(doctor.refused(OpsError(f"`pulumi config` failed: {said}"), "dev"), state, found=said, mend=mend)


# Docker and the registry.

Answer = Callable[[BaseHTTPRequestHandler], tuple[int, dict[str, str], object]]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """Serve HTTP on loopback; gives the host and the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            code, headers, body = answer(self)
            data = json.dumps(body).encode()
            self.send_response(code)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815  # the same

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def closed() -> str:
    """A host and port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def image(platform: Platform = "linux/amd64") -> Image:
    return Image(base="debian:12", platform=platform, context=str(ROOT / "app"))


def registry(server: str) -> LoginRegistry:
    return LoginRegistry(server=server, username=USER, password=SecretStr("another"))


def login(server: str, password: str) -> Finding:
    return images.registry(registry(server), password, repository="team/app")


def test_a_daemon_that_does_not_answer_is_named(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{closed}")
    is_a(images.daemon(image()), State.MISSING, found=f"no daemon answers at tcp://{closed}", mend="DOCKER_HOST")


def test_a_daemon_of_another_architecture_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version = {"Version": "28.0", "ApiVersion": "1.45", "MinAPIVersion": "1.24", "Os": "linux", "Arch": "arm64"}
    with answering(lambda _: (200, {}, version)) as host:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{host}")
        found = images.daemon(image())
        is_a(found, State.WRONG, found="linux/arm64, and image.platform is linux/amd64", mend="binfmt --install amd64")
        assert images.daemon(image("linux/arm64")).state == State.OK
        command(path, "docker", "echo 'Platforms: linux/arm64*, linux/amd64'")
        is_a(images.daemon(image()), State.OK, found="emulates linux/amd64")


def basic(request: BaseHTTPRequestHandler) -> bool:
    expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return request.headers.get("Authorization") == f"Basic {expected}"


def asks_for_the_password(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], object]:
    return (200, {}, {}) if basic(request) else (401, {"WWW-Authenticate": 'Basic realm="registry"'}, {})


def asks_for_a_token(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str], object]:
    if request.path.startswith("/token?"):
        right = "scope=repository%3Ateam%2Fapp%3Apull%2Cpush" in request.path and "service=reg" in request.path
        return (200, {}, {"token": "t0ken"}) if right and basic(request) else (401, {}, {})
    if request.headers.get("Authorization") == "Bearer t0ken":
        return 200, {}, {}
    realm = f"http://{request.headers['Host']}/token"
    return 401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="reg"'}, {}


@pytest.mark.parametrize("registry", [asks_for_the_password, asks_for_a_token])
def test_a_login_is_tried_as_the_registry_asks_for_it(registry: Answer) -> None:
    with answering(registry) as server:
        is_a(login(server, PASSWORD), State.OK, found=f"{USER} at {server}")
        refused = login(server, "wrong")
    is_a(refused, State.WRONG, found=f"{server} refuses user {USER}", mend="--secret --path registry.password")
    assert "wrong" not in refused.found


def test_a_server_that_is_no_registry_is_named() -> None:
    with answering(lambda _: (404, {}, {})) as server:
        is_a(login(server, PASSWORD), State.WRONG, found="404")


def test_a_registry_that_nobody_reaches_is_named(closed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"tcp://{closed}")
    is_a(login(closed, PASSWORD), State.MISSING, found=f"{closed} does not answer", mend=f"http://{closed}/v2/")


# AWS and the delegation.


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with aws_server() as address:
        yield address


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> Aws:
    requests.post(f"{server}/moto-api/reset", timeout=5).raise_for_status()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return Aws(region="us-east-1", endpoint=server, tags={})


def test_whose_the_credentials_are_is_told(aws: Aws) -> None:
    is_a(cloud.identity(aws), State.OK, found="region us-east-1")


def test_credentials_that_aws_does_not_know_are_named(aws: Aws, server: str) -> None:
    # moto looks at credentials once it was told after how many requests to begin.
    requests.post(f"{server}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()
    try:
        is_a(cloud.identity(aws), State.WRONG, found="InvalidClientTokenId", mend="aws sso login")
    finally:
        requests.post(f"{server}/moto-api/reset-auth", data="inf", timeout=5).raise_for_status()


def test_no_credentials_are_named(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    is_a(cloud.identity(aws), State.MISSING, found="no AWS credentials", mend="aws configure")


def test_an_aws_that_does_not_answer_is_named(closed: str, aws: Aws) -> None:
    there = Aws(region="us-east-1", endpoint=f"http://{closed}", tags={})
    is_a(cloud.identity(there), State.MISSING, found=closed, mend=f"curl --verbose http://{closed}")


def zone(aws: Aws, name: str) -> list[str]:
    """Make a hosted zone, and give its name servers."""
    route53 = boto3.client("route53", region_name="us-east-1", endpoint_url=aws.endpoint)
    made = route53.create_hosted_zone(Name=name, CallerReference=name)
    return [str(each) for each in made["DelegationSet"]["NameServers"]]


def delegation(aws: Aws, *, servers: list[str], told: list[str], parent_zone: str | None = None) -> Finding:
    """Look for the zone on these servers, while its parent tells of those."""
    top, above, own = "900 SOA ns.example.com. root.example.com. 1 7200 900 1209600 86400", "127.0.53.2", "127.0.53.3"
    known = ["example.com. 300 NS ns.example.com.", f"ns.example.com. 300 A {above}"]
    world = {
        RESOLVER: Server(
            recursive=True, records=[f"example.com. {top}", *known, *(f"{each}. 300 A {own}" for each in servers)]
        ),
        above: Server(
            zones=("example.com",),
            records=[f"example.com. {top}", *(f"{DOMAIN}. 300 NS {each}." for each in told)],
        ),
        own: Server(zones=(DOMAIN,), records=[f"{DOMAIN}. {top}"]),
    }
    asked = DelegationSettings(domain=DOMAIN, certified=None, parent_zone=parent_zone, resolver=RESOLVER)
    with serving(world) as port:
        return cloud.delegation(aws, asked, port=port)


def test_a_zone_that_its_parent_does_not_name_is_named(aws: Aws) -> None:
    servers = zone(aws, DOMAIN)
    found = delegation(aws, servers=servers, told=[])
    is_a(found, State.WRONG, found="it has no NS record", mend=f"{DOMAIN}. 300 IN NS {sorted(servers)[0]}.")


def test_a_parent_in_the_same_account_is_mended_by_a_command(aws: Aws) -> None:
    servers = zone(aws, DOMAIN)
    zone(aws, "example.com")
    found = delegation(aws, servers=servers, told=[])
    is_a(found, State.WRONG, found="no NS record", mend="pulumi config set --path delegation.parentZone example.com")
    found = delegation(aws, servers=servers, told=[], parent_zone="example.com")
    is_a(found, State.WRONG, found="no NS record", mend="pulumi up")


def test_a_delegation_to_other_servers_is_named_with_both(aws: Aws) -> None:
    servers = zone(aws, DOMAIN)
    found = delegation(aws, servers=servers, told=["ns-old.example.net"])
    is_a(found, State.WRONG, found="ns-old.example.net", mend=sorted(servers)[0])


def test_a_zone_that_its_parent_names_is_fine(aws: Aws) -> None:
    servers = zone(aws, DOMAIN)
    is_a(delegation(aws, servers=servers, told=servers), State.OK, found="example.com names")


def test_a_zone_that_is_yet_to_come_is_no_fault(aws: Aws) -> None:
    is_a(delegation(aws, servers=[], told=[]), State.UNKNOWN, found="no hosted zone")


def test_the_whole_table_fails_without_pulumi_and_names_it(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Exception, match="1") as ended:
        doctor.run("dev", as_json=True)
    assert getattr(ended.value, "exit_code", None) == 1
    found = {each["check"]: each["state"] for each in json.loads(capsys.readouterr().out)}
    assert found["Pulumi"] == "missing"
    assert found["packages"] == "ok"
    assert found["configuration"] == "unknown"
