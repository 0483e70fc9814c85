"""The load balancers' data plane: one haproxy carries their traffic, as the ELB API describes them.

Every second it reads the classic and network load balancers from the API, with their listeners, certificates, health
checks and instances, and renders haproxy's configuration from them. Like ELB, it creates a network interface in the
balancer's subnet for each balancer's address; the name server finds the address there.
"""

import contextlib
import http.client
import ipaddress
import re
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.exceptions import BotoCoreError, ClientError

from sandbox import addresses
from sandbox.aws import load_balancers
from sandbox.aws.load_balancers import Balancer, Check
from sandbox.layout import Layout, here

DOMAIN = ".elb.amazonaws.com."
"""The end of every load balancer's DNS name."""

CONFIG = Path("/run/haproxy.cfg")
"""A path inside the machine."""

_FIRST_HOST = 16
"""The first address in the subnet for load balancers; lower ones are the machine's and the host's."""

_GLOBAL = f"""\
global
  maxconn 1024
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  option http-keep-alive
  # Each new or deleted balancer reloads haproxy for all of them. An idle connection is closed only with the answer to
  # its next request, which says so: otherwise its client would lose that request.
  option idle-close-on-response
  # No retries: retried at another pod, a request that a rolling update loses would go unnoticed.
  retries 0
  timeout connect 5s
  timeout http-request 60s
frontend health
  bind {addresses.NODE_ADDRESS}:{addresses.BALANCERS_HEALTH_PORT}
  timeout client 5s
  http-request return status 200
"""


def addresses_of(ec2: Any, dns_name: str) -> list[str]:
    """Return the addresses of the load balancer with this DNS name: those of its network interfaces."""
    found = ec2.describe_network_interfaces(Filters=[{"Name": "description", "Values": [f"ELB {dns_name}"]}])
    return [interface["PrivateIpAddress"] for interface in found["NetworkInterfaces"]]


def render(balancer: Balancer, *, address: str, hosts: Mapping[str, str], certificates: Path) -> str:
    """Return haproxy's sections for one load balancer.

    `hosts` has the private address of each instance in service, `certificates` is the folder with a PEM per certificate
    id. The X-Forwarded-* headers are those of
    https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/x-forwarded-headers.html.
    """
    return "\n".join(_sections(balancer, address, hosts, certificates)) + "\n"


def _sections(balancer: Balancer, address: str, hosts: Mapping[str, str], certificates: Path) -> Iterator[str]:
    # One health check per target and check: all listeners see it healthy at the same moment.
    checks = {each.check: f"{balancer.name}-health-{each.check.port}" for each in balancer.listeners}
    for check, name in checks.items():
        yield f"backend {name}"
        yield f"  timeout server {check.interval}s"
        if check.path:
            yield f"  option httpchk GET {check.path}"
        targets = dict.fromkeys(i for each in balancer.listeners if each.check == check for i in each.instances)
        for instance in (each for each in targets if each in hosts):
            yield (
                f"  server {instance} {hosts[instance]}:{check.port} check inter {check.interval}s"
                f" rise {check.rise} fall {check.fall}"
            )
    for listener in balancer.listeners:
        name, mode = f"{balancer.name}-{listener.port}", "http" if listener.http else "tcp"
        bind = f"{address}:{listener.port}"
        if listener.tls:
            pem = certificates / f"{listener.certificate.rpartition('/')[2]}.pem"
            if not pem.exists():
                continue  # not issued: ELB would have refused the listener
            bind += f" ssl crt {_quoted(pem)}"
        yield f"frontend {name}"
        yield f"  mode {mode}"
        yield f"  bind {bind}"
        yield f"  timeout client {balancer.idle}s"
        if listener.http:
            yield "  option forwardfor"
            yield f"  http-request set-header X-Forwarded-Proto {listener.protocol.lower()}"
            yield f"  http-request set-header X-Forwarded-Port {listener.port}"
        yield f"  default_backend {name}"
        yield f"backend {name}"
        yield f"  mode {mode}"
        yield f"  timeout server {balancer.idle}s"
        for instance in (each for each in listener.instances if each in hosts):
            track = f"{checks[listener.check]}/{instance}"
            yield f"  server {instance} {hosts[instance]}:{listener.target_port} track {track}"


def usable(sections: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the balancers' sections that haproxy accepts, by name, and its error for each of the others.

    Otherwise one unreadable certificate would stop every balancer.
    """
    if _refusal("".join(sections.values())) is None:
        return dict(sections), {}
    refusals = {name: _refusal(section) for name, section in sections.items()}
    refused = {name: why for name, why in refusals.items() if why is not None}
    return {name: section for name, section in sections.items() if name not in refused}, refused


def _refusal(sections: str) -> str | None:
    """Return haproxy's error for a configuration with these sections, or None when it accepts it."""
    with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
        file.write(_GLOBAL + sections)
        file.flush()
        said = subprocess.run(["haproxy", "-c", "-f", file.name], capture_output=True, text=True, check=False)
    return said.stderr.strip() if said.returncode else None


def _quoted(path: Path) -> str:
    """Return a path quoted as one word of haproxy's configuration (its manual, 2.2. Quoting and escaping)."""
    return re.sub(r"""([\s\\"'#])""", r"\\\1", str(path))


def passes(host: str, check: Check) -> bool:
    """Return whether a target passes the balancer's health check once."""
    try:
        if not check.path:
            socket.create_connection((host, check.port), timeout=1).close()
            return True
        connection = http.client.HTTPConnection(host, check.port, timeout=1)
        with contextlib.closing(connection):
            connection.request("GET", check.path)
            return connection.getresponse().status < HTTPStatus.BAD_REQUEST
    except (OSError, http.client.HTTPException):
        return False


class _DataPlane:
    """Keeps haproxy and its addresses in step with the API."""

    def __init__(self, layout: Layout) -> None:
        self._certificates = layout.certificates
        self._elb = boto3.client("elb", region_name=addresses.REGION)
        self._elbv2 = boto3.client("elbv2", region_name=addresses.REGION)
        self._ec2 = boto3.client("ec2", region_name=addresses.REGION)
        CONFIG.write_text(_GLOBAL)
        # It must not outlive this process: the next one could not listen.
        self._haproxy = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "haproxy", "-W", "-db", "-f", str(CONFIG)])
        # haproxy loses a signal that comes while it starts.
        master = psutil.Process(self._haproxy.pid)
        while self._haproxy.poll() is None and not master.children():
            time.sleep(0.05)
        self._applied = _GLOBAL
        self._refused: dict[str, str] = {}
        self._in_service: dict[str, set[str]] = {}  # a balancer's instances, by its DNS name

    def follow(self) -> None:
        """Read the API once and apply what changed."""
        balancers = [*load_balancers.classic(self._elb), *load_balancers.network(self._elbv2)]
        held = {balancer.dns_name: self._address(balancer) for balancer in balancers}
        sections = {each.dns_name: self._render(each, held[each.dns_name]) for each in balancers}
        if _GLOBAL + "".join(sections.values()) != self._applied:
            sections, refused = usable(sections)
            if refused != self._refused:
                self._refused = refused
                print("".join(f"left out: {name}: {why}\n" for name, why in refused.items()), end="", flush=True)
        config = _GLOBAL + "".join(sections.values())
        if config != self._applied:
            self._listen_on(set(held.values()))
            CONFIG.write_text(config)
            self._haproxy.send_signal(signal.SIGUSR2)  # new workers take over, the old ones end their requests
            self._applied = config
            print(f"applied: {', '.join(f'{name} at {held[name]}' for name in sections) or 'nothing'}", flush=True)
        # Every time: an earlier process may have ended before it did this.
        self._forget_interfaces(set(held))

    def ended(self) -> int | None:
        """Return haproxy's exit status, or None while it runs."""
        return self._haproxy.poll()

    def _render(self, balancer: Balancer, address: str) -> str:
        ids = sorted({instance for listener in balancer.listeners for instance in listener.instances})
        reservations = self._ec2.describe_instances(InstanceIds=ids)["Reservations"] if ids else []
        instances = {i["InstanceId"]: i["PrivateIpAddress"] for r in reservations for i in r["Instances"]}
        # haproxy treats a new server as healthy until its first check; ELB starts it as out of service.
        before = self._in_service.get(balancer.dns_name, set())
        hosts = {
            id: host
            for id, host in instances.items()
            if id in before
            or all(passes(host, check) for check in {each.check for each in balancer.listeners if id in each.instances})
        }
        self._in_service[balancer.dns_name] = set(hosts)
        return render(balancer, address=address, hosts=hosts, certificates=self._certificates)

    def _address(self, balancer: Balancer) -> str:
        for address in addresses_of(self._ec2, balancer.dns_name):
            return address
        interfaces = self._ec2.describe_network_interfaces()["NetworkInterfaces"]
        taken = {interface["PrivateIpAddress"] for interface in interfaces}
        hosts = list(ipaddress.IPv4Network(addresses.NETWORK).hosts())[_FIRST_HOST - 1 :]
        address = next(str(host) for host in hosts if str(host) not in taken)
        self._ec2.create_network_interface(
            SubnetId=balancer.subnet,
            PrivateIpAddress=address,
            Description=f"ELB {balancer.dns_name}",
        )
        return address

    def _forget_interfaces(self, names: set[str]) -> None:
        for interface in self._ec2.describe_network_interfaces()["NetworkInterfaces"]:
            kind, _, name = interface["Description"].partition(" ")
            if kind == "ELB" and name not in names:
                self._ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])

    def _listen_on(self, wanted: set[str]) -> None:
        shown = subprocess.run(
            ["ip", "-br", "-4", "address", "show", "eth0"], check=True, capture_output=True, text=True
        )
        present = {word.partition("/")[0] for word in shown.stdout.split()[2:]} - {addresses.NODE_ADDRESS}
        for action, some in (("add", wanted - present), ("delete", present - wanted)):
            for address in some:
                subprocess.run(["ip", "address", action, f"{address}/24", "dev", "eth0"], check=True)


def main() -> None:
    """Follow the API until haproxy ends, through errors of the API."""
    plane = _DataPlane(here())
    while plane.ended() is None:
        time.sleep(1)
        try:
            plane.follow()
        except (BotoCoreError, ClientError) as error:
            print(f"the AWS API does not answer: {error}", flush=True)
    raise SystemExit(f"haproxy ended with {plane.ended()}")


if __name__ == "__main__":
    main()
