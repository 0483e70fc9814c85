"""A kops to test the driver with: the stand-in of tests/standins, or the real one when it is on PATH."""

import functools
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import requests
import yaml

from infra.balancer_kind import BalancerKind
from infra.cluster.kops import command, manifests
from infra.cluster.kops.settings import ControlPlane, KopsSettings
from infra.settings.machines import NodeGroup
from tests.aws_server import aws_server

ROOT = Path(__file__).parents[2]
STAND_IN = ROOT / "tests" / "standins" / "kops"
NAME = "useast1.dev.example.com"
BUCKET = "clusters.dev.example.com"
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A store in moto, and a kops on PATH."""

    home: Path
    """Where the stand-in keeps its cloud."""
    kops: command.Kops
    real: bool

    def order(self, **orders: Any) -> None:
        """Say what is to go wrong from now on; nothing, without any."""
        (self.home / "orders.json").write_text(json.dumps(orders))

    def cloud(self) -> dict[str, Any]:
        """What the stand-in made."""
        file = self.home / "cloud.json"
        return dict(json.loads(file.read_text())) if file.exists() else {"resources": {}, "machines": {}}

    def machines(self) -> dict[str, list[str]]:
        """The ids of the machines, by group."""
        found = self.cloud()["machines"].get(NAME, {})
        return {group: [each["id"] for each in machines] for group, machines in found.items()}

    def calls(self) -> list[dict[str, Any]]:
        """The commands that the stand-in was given."""
        file = self.home / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def store(self) -> dict[str, str]:
        """The objects in the live store, with their contents."""
        client = self._client()
        found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read().decode() for each in found
        }

    def put(self, key: str, text: str) -> None:
        """Change an object in the live store behind everybody's back."""
        self._client().put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    def props(self, **changes: Any) -> dict[str, Any]:
        """The inputs of the resources, as the engine hands them to their providers."""
        kops = self.kops
        place = {"name": kops.name, "store": kops.store, "region": kops.region, "endpoint": kops.endpoint}
        documents = changes.pop("documents", rendered())
        known = {"manifests": documents, "hash": manifests.digest(documents), "apply": "reconcile", "waitMinutes": 5}
        return {**place, **known, "drift": [], **changes}

    def _client(self) -> Any:
        return s3(self.kops.endpoint)


@functools.cache
def s3(endpoint: str | None) -> Any:
    """A client of moto's S3."""
    access = {name.lower(): value for name, value in ACCESS.items()}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **access)


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server with an empty bucket for the store; gives its address."""
    with aws_server() as address:
        # A server before this one may have left something.
        requests.post(f"{address}/moto-api/reset", timeout=30).raise_for_status()
        yield address


@contextmanager
def world(home: Path, *, endpoint: str, real: bool, bucket: bool = True) -> Iterator[World]:
    """Put the kops on PATH; the store is a bucket that comes and goes with it, unless somebody else makes one."""
    kops = command.Kops(name=NAME, store=f"s3://{BUCKET}", region="us-east-1", endpoint=endpoint)
    made = World(home=home, kops=kops, real=real)
    client = made._client()
    if bucket:
        client.create_bucket(Bucket=BUCKET)
    try:
        with mock.patch.dict(os.environ, environment(home, real=real)):
            yield made
    finally:
        if BUCKET in [each["Name"] for each in client.list_buckets()["Buckets"]]:
            for key in made.store():
                client.delete_object(Bucket=BUCKET, Key=key)
            client.delete_bucket(Bucket=BUCKET)


def environment(home: Path, *, real: bool) -> dict[str, str]:
    """The variables under which kops, the stand-in or the real one, is the one to be tested."""
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    if not real:
        script = folder / "kops"
        packages = Path(yaml.__file__).parents[1]
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" -S "{STAND_IN}" "$@"\n')
        script.chmod(0o755)
    # Another home, for what kops keeps there; the toolchain stays where it is.
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    access = ACCESS | {"XDG_CACHE_HOME": cache}
    return {**access, "PATH": f"{folder}:{os.environ['PATH']}", "STANDIN_KOPS": str(home), "HOME": str(home)}


def installed() -> bool:
    """Whether there is a real kops to test with."""
    return shutil.which("kops") is not None


def settings(**changes: Any) -> KopsSettings:
    """The settings of a small cluster."""
    given: dict[str, Any] = {
        "driver": "kops",
        "name": NAME,
        "kubernetes_version": "1.35.7",
        "zones": ("us-east-1c",),
        "control_plane": ControlPlane(machine_type="t3.medium", count=1, zones=("us-east-1c",)),
        "nodes": (group(),),
        "image": None,
        "networking": "cilium",
        "network_cidr": "172.20.0.0/16",
        "cluster_cidr": "100.64.0.0/10",
        "topology": "public",
        "dns": "none",
        "balancer": BalancerKind.CLASSIC,
        "api_access": ("0.0.0.0/0",),
        "ssh_access": (),
        "container_registry": True,
        "permissions_boundary": None,
        "apply": "reconcile",
        "wait_minutes": 5,
    }
    return KopsSettings(**(given | changes))


def group(name: str = "nodes", **changes: Any) -> NodeGroup:
    """A group of two machines."""
    given: dict[str, Any] = {"machine_type": "t3.medium", "min": 2, "max": 4, "zones": ("us-east-1c",), "spot": False}
    return NodeGroup(name=name, **(given | changes))


def rendered(**changes: Any) -> str:
    """The manifests of that cluster."""
    return manifests.render(settings(**changes), dns_zone=None)
