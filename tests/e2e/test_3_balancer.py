"""The data plane of load balancers, tested with one that is created through AWS's API."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from sandbox import addresses
from tests.e2e import cloud
from tests.e2e.site import addresses_of, ask, connect
from tests.e2e.stack import Stack
from tests.e2e.waiting import eventually

OPEN = urlsplit(addresses.AWS_ENDPOINT).port
"""A port of the node where a server speaks HTTP."""
CLOSED = 9
"""A port of the node where nothing listens."""
NAME = "by-hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balancer:
    """A load balancer that forwards to the node's open port."""

    host: str
    elb: Any

    def look_at(self, port: int | None) -> None:
        """Make its health check connect to a port of the targets."""
        check = {"Interval": 5, "Timeout": 2, "UnhealthyThreshold": 2, "HealthyThreshold": 2}
        self.elb.configure_health_check(LoadBalancerName=NAME, HealthCheck={**check, "Target": f"TCP:{port}"})

    def status(self) -> int:
        """Return the status that it answers with. Raises OSError or DNSException while it is not there yet."""
        [address] = addresses_of(self.host)
        with closing(connect(self.host, 80, address, None)) as connection:
            return ask(connection, "/moto-api/").status


@pytest.fixture
def node(stack: Stack) -> dict[str, Any]:
    """Return the node as EC2 has it."""
    [reservation] = cloud.client("ec2").describe_instances()["Reservations"]
    [instance] = reservation["Instances"]
    return dict(instance)


@pytest.fixture
def balancer(node: dict[str, Any]) -> Iterator[Balancer]:
    """Create it without a target; delete it at the end."""
    elb = cloud.client("elb")
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": OPEN}
    made = elb.create_load_balancer(LoadBalancerName=NAME, Listeners=[listener], Subnets=[node["SubnetId"]])
    yield Balancer(host=made["DNSName"], elb=elb)
    elb.delete_load_balancer(LoadBalancerName=NAME)


def test_a_target_is_in_service_from_the_first_look_that_it_passes_and_not_before(
    balancer: Balancer, node: dict[str, Any]
) -> None:
    balancer.look_at(CLOSED)
    target = {"InstanceId": node["InstanceId"]}
    balancer.elb.register_instances_with_load_balancer(LoadBalancerName=NAME, Instances=[target])
    assert eventually(balancer.status) == 503

    def in_service() -> None:
        assert balancer.status() == 200

    balancer.look_at(OPEN)
    eventually(in_service)
