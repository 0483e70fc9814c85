"""A kops to test the driver with: the stand-in in tests/standins, or the real one if it is on PATH."""

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
    """The folder in which the stand-in keeps its cloud."""
    kops: command.Kops
    real: bool

    def order(self, **orders: Any) -> None:
        """Set what goes wrong from now on; without arguments, nothing does."""
        (self.home / "orders.json").write_text(json.dumps(orders))

    def cloud(self) -> dict[str, Any]:
        """Return what the stand-in created."""
        file = self.home / "cloud.json"
        return dict(json.loads(file.read_text())) if file.exists() else {"resources": {}, "machines": {}}

    def machines(self) -> dict[str, list[str]]:
        """Return the ids of the machines, by group."""
        found = self.cloud()["machines"].get(NAME, {})
        return {group: [each["id"] for each in machines] for group, machines in found.items()}

    def calls(self) -> list[dict[str, Any]]:
        """Return the commands that the stand-in was run with."""
        file = self.home / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def store(self) -> dict[str, str]:
        """Return the contents of the objects in the live store, by key."""
        client = self._client()
        found = client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {
            each["Key"]: client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read().decode() for each in found
        }

    def put(self, key: str, text: str) -> None:
        """Write an object to the live store outside the program and kops."""
        self._client().put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    def props(self, **changes: Any) -> dict[str, Any]:
        """Return the inputs of the resources, as the engine passes them to their providers."""
        kops = self.kops
        place = {"name": kops.name, "store": kops.store, "region": kops.region, "endpoint": kops.endpoint}
        documents = changes.pop("documents", rendered())
        known = {"manifests": documents, "hash": manifests.digest(documents), "apply": "reconcile", "waitMinutes": 5}
        return {**place, **known, "drift": [], **changes}

    def _client(self) -> Any:
        return s3(self.kops.endpoint)


@functools.cache
def s3(endpoint: str | None) -> Any:
    """Return a client of moto's S3."""
    access = {name.lower(): value for name, value in ACCESS.items()}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **access)


@contextmanager
def moto() -> Iterator[str]:
    """Run moto's server, emptied; yield its URL."""
    with aws_server() as address:
        # An earlier server in this process may have left something.
        requests.post(f"{address}/moto-api/reset", timeout=30).raise_for_status()
        yield address


@contextmanager
def world(home: Path, *, endpoint: str, real: bool, bucket: bool = True) -> Iterator[World]:
    """Put kops on PATH; create the store's bucket unless `bucket` is false. Delete the bucket at the end."""
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
    """Return the environment variables that select the kops to test: the stand-in or the real one."""
    folder = home / "bin"
    folder.mkdir(exist_ok=True)
    if not real:
        script = folder / "kops"
        packages = Path(yaml.__file__).parents[1]
        script.write_text(f'#!/bin/sh\nPYTHONPATH="{packages}" exec "{sys.executable}" -S "{STAND_IN}" "$@"\n')
        script.chmod(0o755)
    # kops keeps files in the home, so it gets another one; the toolchain's cache stays where it is.
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    access = ACCESS | {"XDG_CACHE_HOME": cache}
    return {**access, "PATH": f"{folder}:{os.environ['PATH']}", "STANDIN_KOPS": str(home), "HOME": str(home)}


def installed() -> bool:
    """Return whether a kops is on PATH."""
    return shutil.which("kops") is not None


def settings(**changes: Any) -> KopsSettings:
    """Return the settings of a small cluster."""
    given: dict[str, Any] = {
        "driver": "kops",
        "name": NAME,
        "kubernetes_version": "1.35.7",
        "zones": ("us-east-1c",),
        "control_plane": ControlPlane(zones=("us-east-1c",)),
        "nodes": (group(),),
        "wait_minutes": 5,
    }
    return KopsSettings(**(given | changes))


def group(name: str = "nodes", **changes: Any) -> NodeGroup:
    """Return a group of two machines."""
    given: dict[str, Any] = {"machine_type": "t3.medium", "min": 2, "max": 4, "zones": ("us-east-1c",), "spot": False}
    return NodeGroup(name=name, **(given | changes))


def rendered(**changes: Any) -> str:
    """Return the manifests of that cluster."""
    return manifests.render(settings(**changes), dns_zone=None)
