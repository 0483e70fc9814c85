"""The settings that the drivers of EC2 machines share: balancer, zones and node groups."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo

from infra.balancer_kind import BalancerKind
from infra.settings.section import Fault, Place, Section, expected, facts, must, refused, refused_within
from infra.settings.values import Label


def machine_platform(machine_type: str) -> str:
    """Return the platform of an EC2 machine type. A `g` after the generation means Graviton, which is arm64."""
    return "linux/arm64" if re.match(r"a1\.|[a-z]+[0-9]+g[a-z]*\.", machine_type) else "linux/amd64"


def _runs_the_image(machine_type: str, info: ValidationInfo) -> str:
    platform, its_own = facts(info).platform, machine_platform(machine_type)
    if platform and its_own != platform:
        raise refused(f"{platform}, as image.platform says", found=f"{machine_type}, which is {its_own}")
    return machine_type


def _in_the_region(zone: str, info: ValidationInfo) -> str:
    region = facts(info).region
    if region and zone[:-1] != region:
        raise refused(f"a zone of {region} such as {region}a")
    return zone


def _apart_from_the_vpc(network: str, info: ValidationInfo) -> str:
    vpc = info.data.get("network_cidr")
    if vpc and ipaddress.ip_network(vpc).overlaps(ipaddress.ip_network(network)):
        raise refused(f"a network that does not overlap networkCidr, {vpc}")
    return network


def _at_least_min(high: int, info: ValidationInfo) -> int:
    low = info.data.get("min", high)
    if high < low:
        raise refused(f"at least min, which is {low}")
    return high


EACH_ONCE = must(lambda given: len(set(given)) == len(given), "no duplicates")
"""For a list without duplicates."""
MachineType = Annotated[
    str, expected("an EC2 machine type such as t3.medium", pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")
]
Zone = Annotated[str, expected("a zone such as us-east-1a", pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9][a-g]$")]
Zones = Annotated[
    tuple[Annotated[Zone, AfterValidator(_in_the_region)], ...],
    expected("a list of one or more zones such as us-east-1a", min_length=1),
    EACH_ONCE,
]
SomeZones = Annotated[tuple[Zone, ...], expected("a list of one or more of cluster.zones", min_length=1)]
"""The zones of a group. The default, an empty tuple, becomes all zones of the cluster."""
Fewest = Annotated[int, expected("a whole number of 0 or more", ge=0)]
Most = Annotated[int, expected("a whole number of 1 or more", ge=1), AfterValidator(_at_least_min)]


class NodeGroup(Section):
    """A group of equal machines for pods: an auto scaling group over its zones."""

    name: Label
    """The group's name. Another name makes another group, and deletes this one with its machines."""
    machine_type: Annotated[MachineType, AfterValidator(_runs_the_image)]
    """The EC2 machine type. Its architecture must match `image.platform`."""
    min: Fewest
    """The minimum number of machines."""
    max: Most
    """The maximum number of machines."""
    zones: SomeZones = Field(default=(), validate_default=False)
    """The zones of the machines. Default: all zones of the cluster."""
    spot: bool = False
    """Whether to use spot instances, which cost less but which AWS may take back."""


class OnMachines(Section):
    """The settings of every cluster of EC2 machines, whichever driver makes it."""

    driver: str
    """The driver."""
    name: str
    """The cluster's name. It cannot be changed later."""
    balancer: Literal[BalancerKind.CLASSIC, BalancerKind.NLB] = BalancerKind.CLASSIC
    """The kind of load balancer: `classic`, a Classic Load Balancer, which also listens on port 80 so that the app can
    redirect to HTTPS; or `nlb`, a Network Load Balancer, which takes HTTPS only. A change replaces the Service and its
    balancer."""
    zones: Zones
    """The cluster's zones, all in `aws.region`."""


def outside(zones: tuple[str, ...], info: ValidationInfo, *, of: Place = ()) -> Iterator[Fault]:
    """Yield a fault for each zone that is not one of the cluster's, which are read before."""
    ours: tuple[str, ...] = info.data.get("zones", zones)
    for index, zone in enumerate(zones):
        if zone not in ours:
            yield (*of, "zones", index), zone, refused(f"one of cluster.zones: {', '.join(ours)}")


Group = TypeVar("Group", bound=NodeGroup)


def _placed(groups: tuple[Group, ...], info: ValidationInfo) -> tuple[Group, ...]:
    """Refuse duplicate names and zones outside the cluster; give a group without zones all of the cluster's."""
    faults = [fault for index, each in enumerate(groups) for fault in outside(each.zones, info, of=(index,))]
    names = [each.name for each in groups]
    for index, name in enumerate(names):
        if name in names[:index]:
            faults.append(((index, "name"), name, refused("another name: an earlier group has this one")))
    refused_within(faults)
    ours = info.data.get("zones", ())
    return tuple(each if each.zones else each.model_copy(update={"zones": ours}) for each in groups)


Groups = Annotated[tuple[Group, ...], expected("a list of one or more objects", min_length=1), AfterValidator(_placed)]
"""The groups of a cluster. This field must follow the cluster's `zones`."""
Apart = AfterValidator(_apart_from_the_vpc)
"""For a network that must not overlap the VPC's. This field must follow `network_cidr`."""


def from_16_to(smallest: int) -> AfterValidator:
    """Refuse a VPC network that is larger than /16, as AWS does, or too small for its subnets."""
    return must(lambda network: 16 <= ipaddress.ip_network(network).prefixlen <= smallest)
