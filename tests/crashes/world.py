"""The unchanged program, with the real engine and plugins, on an AWS, a cluster and a registry on loopback.

Each of these three is behind a proxy, which reports every mutating request that succeeded to `Moment`.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dns.message
import requests
import trustme
import yaml

from sandbox import environment as embedded, toolchain
from sandbox.layout import Layout
from sandbox.logins import PASSPHRASE
from tests import docker_servers, tools
from tests.conformance.api_server import ApiServer
from tests.crashes import cluster, naming, proxy
from tests.eks.cloud import REGION, USER, Cloud, cloud
from tests.loopback import name_servers
from tests.loopback.name_servers import Server

ROOT = Path(__file__).parents[2]
PARENT = "example.test"
RESOLVER = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
"""The address of the name server, on port 53; no other world has it."""
_PROJECT = ("Pulumi.yaml", "__main__.py", "contract", "infra", "ops")
PATIENCE = 240
"""Seconds that one command may take."""
DOCKERFILE = "FROM scratch\nCOPY . /\nUSER 10001\n"


@dataclass(slots=True)
class Moment:
    """The mutating requests of one pulumi command, in the order in which they succeeded.

    When the `wanted` one, by name and number, has succeeded, `act` is called: it returns whether that client gets its
    answer. Other mutating requests wait until it returns.
    """

    wanted: tuple[str, int] | None = None
    act: Callable[[], bool] = lambda: True
    seen: list[str] = field(default_factory=list)
    came: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, name: str) -> bool:
        """Record a request; return whether its client gets the answer."""
        with self.lock:
            if self.came:
                return True
            self.seen.append(name)
            if (name, self.seen.count(name)) != self.wanted:
                return True
            self.came = True
            return self.act()

    def points(self) -> list[tuple[str, int]]:
        """Return every request with its number among those of its name."""
        counted: Counter[str] = Counter()
        found = []
        for name in self.seen:
            counted[name] += 1
            found.append((name, counted[name]))
        return found


@dataclass(slots=True)
class World:
    """A stack, and every place where it can leave something."""

    folder: Path
    environment: dict[str, str]
    stack: str
    cloud: Cloud
    api: ApiServer
    registry: str
    silence: dict[str, proxy.Silence]
    """By server: `aws`, `kubernetes` and `registry`."""
    moment: Moment = field(default_factory=Moment)
    deployed: bool = False
    """Whether the stack is deployed, as far as the tests know."""

    @property
    def screen(self) -> Path:
        """The file with the output of the command that runs, or ran last."""
        return self.folder.parent / "screen"

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a user's command."""
        with self.screen.open("wb") as screen:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=screen,
                stderr=screen,
                start_new_session=True,
            )

    def end(self, process: subprocess.Popen[bytes]) -> tuple[int, str]:
        """Wait for a command; return its exit code, or -1 if it was killed after PATIENCE, and its output."""
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return -1, f"{self.screen.read_text()}\nerror: it still ran after {PATIENCE} s"
        with (self.folder.parent / "screens").open("a") as screens:
            screens.write(f"$ {' '.join(map(str, process.args))}\n{self.screen.read_text()}\n")  # type: ignore[arg-type]
        return process.returncode, self.screen.read_text()

    def run(self, *command: str) -> tuple[int, str]:
        """Run a user's command; return its exit code and output."""
        return self.end(self.start(*command))

    def pulumi(self, *arguments: str) -> str:
        """Run pulumi, which must succeed; return its output."""
        code, said = self.run("pulumi", *arguments, "--non-interactive")
        assert code == 0, said
        return said

    def state(self) -> dict[str, Any]:
        """Return the deployment as `pulumi stack export` has it."""
        return dict(json.loads(self.pulumi("stack", "export"))["deployment"])

    def change(self) -> None:
        """Change the app to one that never existed, so that the registry has nothing of its image."""
        (self.folder / "app" / "version").write_text(f"{time.time_ns()}")

    def forget(self) -> None:
        """Start again with nothing in AWS, in the cluster and in the state."""
        requests.post(f"{self.cloud.url}/moto-api/reset", timeout=30).raise_for_status()
        self.cloud.client("route53").create_hosted_zone(Name=PARENT, CallerReference="world")
        iam = self.cloud.client("iam")
        iam.create_user(UserName=USER)
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        self.environment["AWS_ACCESS_KEY_ID"], self.environment["AWS_SECRET_ACCESS_KEY"] = (
            key["AccessKeyId"],
            key["SecretAccessKey"],
        )
        kubectl = ("kubectl", f"--kubeconfig={self.api.folder / 'kubeconfig'}", "delete", "--ignore-not-found")
        kinds = "deployments,jobs,services,secrets,configmaps,poddisruptionbudgets,pods"
        self.run(*kubectl, kinds, "--all", "--namespace=default", "--force", "--grace-period=0")
        self.run(*kubectl, "namespace", "eks")
        settings = self.folder / f"Pulumi.{self.stack}.yaml"
        kept = settings.read_text()
        shutil.rmtree(self.folder.parent / "stacks")
        (self.folder.parent / "stacks").mkdir()
        self.pulumi("stack", "init", self.stack)
        settings.write_text(kept)
        self.deployed = False


@contextmanager
def world(home: Path, stack: str = "local") -> Iterator[World]:
    """Run everything in an empty folder, with the stack file of this name and nothing deployed."""
    with ExitStack() as inside:
        api = inside.enter_context(cluster.running(home / "api"))
        registry = inside.enter_context(docker_servers.registry(home / "registry"))
        docker = inside.enter_context(docker_servers.daemon(home / "docker"))
        made: World | None = None

        def answered(name: str) -> bool:
            return made is None or made.moment.answered(name)

        silence = {name: proxy.Silence() for name in ("aws", "kubernetes", "registry")}
        leaf = api.authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
        certificate = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(certificate)
        trusted = ssl.create_default_context(cafile=str(api.folder / "ca.pem"))
        kubernetes = inside.enter_context(
            proxy.running(
                api.url,
                named=naming.of_kubernetes,
                answered=answered,
                silence=silence["kubernetes"],
                certificate=certificate,
                trusted=trusted,
                # Every client is an administrator: the logins of EKS do not exist here.
                headers={"Authorization": f"Bearer {api.token}"},
            )
        )
        aws = inside.enter_context(cloud(home / "aws", api_server=kubernetes))
        Layout(home / "aws").ca.write_bytes(api.authority.cert_pem.bytes())
        endpoint = inside.enter_context(
            proxy.running(aws.url, named=naming.of_aws, answered=answered, silence=silence["aws"])
        )
        images = inside.enter_context(
            proxy.running(
                f"http://{registry}", named=naming.of_registry, answered=answered, silence=silence["registry"]
            )
        )
        inside.enter_context(name_servers.serving({RESOLVER: _Resolver(aws)}, port=53))
        made = World(
            folder=home / "project",
            environment=_environment(home, docker),
            stack=stack,
            cloud=aws,
            api=api,
            registry=images.removeprefix("http://"),
            silence=silence,
        )
        _write(made, endpoint=endpoint, kubeconfig=api.kubeconfig().replace(api.url, kubernetes))
        made.forget()
        yield made


def _environment(home: Path, docker: str) -> dict[str, str]:
    binaries = home / "bin"
    tools.engine(binaries)
    (binaries / "aws").symlink_to(Path(sys.executable).with_name("aws"))
    given = tools.engine_environment(home, binaries, backend=home / "stacks")
    return {
        **os.environ,
        **given,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"{given['PULUMI_BACKEND_URL']}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "AWS_REGION": REGION,
        "DOCKER_HOST": docker,
        "DOCKER_CONFIG": str(home / "docker-config"),
        "KUBECACHEDIR": str(home / "kubectl"),
        toolchain.AWS_WAIT: str(embedded.AWS_WAIT),
    }


def _write(world: World, *, endpoint: str, kubeconfig: str) -> None:
    """Write the program and the stack file: the sandbox's own, with the addresses and logins of this world."""
    world.folder.mkdir()
    (world.folder.parent / "stacks").mkdir()
    for part in _PROJECT:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, world.folder / part)
    (world.folder / ".venv").symlink_to(sys.prefix)
    (world.folder / "app").mkdir()
    (world.folder / "app" / "Dockerfile").write_text(DOCKERFILE)
    (world.folder / "kubeconfig").write_text(kubeconfig)
    (world.folder / "password").write_text(docker_servers.PASSWORD)
    content = yaml.safe_load((ROOT / f"Pulumi.{world.stack}.yaml").read_text())
    settings = content["config"]
    settings["ejemplo-django:delegation"]["resolver"] = RESOLVER
    settings["ejemplo-django:aws"]["endpoint"] = endpoint
    if "kubeconfigFile" in settings["ejemplo-django:cluster"]:
        settings["ejemplo-django:cluster"]["kubeconfigFile"] = "kubeconfig"
    settings["ejemplo-django:registry"] |= {
        "server": world.registry,
        "username": docker_servers.USER,
        "passwordFile": "password",
    }
    del settings["ejemplo-django:image"]["args"]
    settings["ejemplo-django:app"]["release"] = {"command": ["migrate"]}
    (world.folder / f"Pulumi.{world.stack}.yaml").write_text(yaml.safe_dump(content))


class _Resolver:
    """Knows the parent zone and its delegations in AWS; the name servers of the zone itself do not exist here."""

    def __init__(self, aws: Cloud) -> None:
        self._route53 = aws.client("route53")

    def answer(self, question: dns.message.Message) -> dns.message.Message:
        lines = [f"{PARENT}. 900 IN SOA ns.{PARENT}. root.{PARENT}. 1 7200 900 1209600 60"]
        for zone in self._route53.list_hosted_zones_by_name(DNSName=PARENT)["HostedZones"]:
            if zone["Name"] == f"{PARENT}.":
                found = self._route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
                lines += [
                    f"{each['Name']} {each['TTL']} NS {value['Value'].rstrip('.')}."
                    for each in found
                    for value in each["ResourceRecords"]
                    if each["Type"] == "NS" and each["Name"] != zone["Name"]
                ]
        lines[0] = lines[0].replace(" IN ", " ")
        return Server(recursive=True, records=lines).answer(question)
