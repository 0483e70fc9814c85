"""The driver `kops` with the stand-in for kops: its machines are entries in a file, its API server is real."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance import api_server, stack as stacks
from tests.conformance.api_server import ApiServer
from tests.conformance.stack import BUCKET, CLUSTER_WITH_WORK, Stack
from tests.kops import world as kops_world
from tests.kops.world import NAME, World

_RULE = f"SecurityGroupRule/https-0.0.0.0/0.{NAME}"
_NODES = {"name": "nodes", "machineType": "t3.medium", "min": 2, "max": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class KopsWorld:
    """The world of the driver `kops`: the stand-in's cloud and an API server."""

    makes = True
    stack: Stack
    api: ApiServer
    cloud: World

    def secrets(self) -> set[str]:
        """Return the authority's certificate and the token."""
        return {self.api.ca_data, self.api.token}

    def grow(self) -> None:
        """Raise the minimum of the group in the settings."""
        self.stack.configure(nodes=[_NODES | {"min": 3}])

    def nodes(self) -> int:
        """Count the machines of the group."""
        return len(self.cloud.machines().get("nodes", []))

    def upgrade(self) -> None:
        """Set a newer version in the settings."""
        self.stack.configure(kubernetesVersion="1.36.3")

    def version(self) -> str:
        """Return the image of the machines, which must be the same for all."""
        groups = self.cloud.cloud()["machines"][NAME]
        [image] = {machine["template"]["ImageID"] for machines in groups.values() for machine in machines}
        return str(image)

    def hinder(self) -> str:
        """Let AWS refuse another VPC because of its limit."""
        self._order(update={"after": 4, "error": "VpcLimitExceeded"})
        return "VpcLimitExceeded"

    def fix(self) -> None:
        """Let AWS accept everything again."""
        self._order()

    def meddle(self) -> None:
        """Delete the security group rule that opens the API."""
        cloud = self.cloud.cloud()
        del cloud["resources"][NAME][_RULE]
        (self.cloud.home / "cloud.json").write_text(json.dumps(cloud))

    def meddled(self) -> bool:
        """Return whether the rule is still deleted."""
        return _RULE not in self.cloud.cloud()["resources"][NAME]

    def expire(self) -> str:
        """Let AWS refuse the login as expired."""
        self._order(expired=True)
        return "ExpiredToken"

    def renew(self) -> None:
        """Let AWS accept the login again."""
        self._order()

    def left(self) -> set[str]:
        """Return what is in the stand-in's cloud, and the buckets."""
        cloud = self.cloud.cloud()
        made = {*cloud["resources"], *cloud["machines"]}
        return made | {each["Name"] for each in kops_world.s3(self.stack.endpoint).list_buckets()["Buckets"]}

    def _order(self, **orders: object) -> None:
        api = {"server": self.api.url, "authority": self.api.ca_data, "token": self.api.token}
        self.cloud.order(api=api, **orders)


@contextmanager
def kops(home: Path) -> Iterator[KopsWorld]:
    """Run moto and the API server, and put the stand-in on PATH."""
    with (
        kops_world.moto() as endpoint,
        api_server.running(home / "api") as api,
        kops_world.world(home, endpoint=endpoint, real=False, bucket=False) as cloud,
    ):
        stack = stacks.project(home, endpoint=endpoint, program=CLUSTER_WITH_WORK)
        stack.configure(driver="kops", name=NAME, kubernetesVersion="1.35.7", zones=["us-east-1c"], nodes=[_NODES])
        made = KopsWorld(stack=stack, api=api, cloud=cloud)
        made.fix()
        assert BUCKET not in made.left()
        yield made
