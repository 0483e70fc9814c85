"""What the drivers that make EC2 machines have in common: the balancer, zones, and groups of nodes."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo

from infra.balancer_kind import BalancerKind
from infra.settings.section import Fault, Place, Section, expected, facts, must, refused, refused_within
from infra.settings.values import Label


def machine_platform(machine_type: str) -> str:
    """Tell what an EC2 machine type runs: in AWS's names a `g` behind the generation is Graviton, which is arm64."""
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


def _at_least_min(high: int, info: ValidationInfo) -> int:
    low = info.data.get("min", high)
    if high < low:
        raise refused(f"at least min, which is {low}")
    return high


EACH_ONCE = must(lambda given: len(set(given)) == len(given), "every one once")
"""For a list in which nothing may be twice."""
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
"""Those of a group. The default is an empty tuple, which its cluster replaces by all of its own."""
Fewest = Annotated[int, expected("a whole number of 0 or more", ge=0)]
Most = Annotated[int, expected("a whole number of 1 or more", ge=1), AfterValidator(_at_least_min)]


class NodeGroup(Section):
    """Machines of one kind for pods: an auto scaling group over its zones."""

    name: Label
    """The group's own, for ever."""
    machine_type: Annotated[MachineType, AfterValidator(_runs_the_image)]
    """The EC2 machine type, which must run `image.platform`."""
    min: Fewest
    """The fewest machines."""
    max: Most
    """The most machines."""
    zones: SomeZones = Field(default=(), validate_default=False)
    """Where its machines are put; all of the cluster's zones by default."""
    spot: bool = False
    """Whether AWS may take the machines back, for a lower price."""


class OnMachines(Section):
    """What a cluster of EC2 machines has, whoever makes it."""

    driver: str
    """Who makes it."""
    name: str
    """The cluster's identity, for ever."""
    balancer: Literal[BalancerKind.CLASSIC, BalancerKind.NLB] = BalancerKind.CLASSIC
    """What the cluster makes of a Service of type LoadBalancer: `classic`, an ELB, which redirects http to https, or
    `nlb`, a Network Load Balancer, which takes https alone. A change makes the Service, and its balancer, anew."""
    zones: Zones
    """The zones that the cluster uses, all of `aws.region`."""


Group = TypeVar("Group", bound=NodeGroup)


def outside(zones: tuple[str, ...], info: ValidationInfo, *, of: Place = ()) -> Iterator[Fault]:
    """Give a fault for each zone that is none of the cluster's, which are read before."""
    ours: tuple[str, ...] = info.data.get("zones", zones)
    for index, zone in enumerate(zones):
        if zone not in ours:
            yield (*of, "zones", index), zone, refused(f"one of cluster.zones: {', '.join(ours)}")


def placed(groups: tuple[Group, ...], info: ValidationInfo) -> tuple[Group, ...]:
    """Refuse names that are there twice and foreign zones; put a group without zones into all of them."""
    faults = [fault for index, each in enumerate(groups) for fault in outside(each.zones, info, of=(index,))]
    names = [each.name for each in groups]
    for index, name in enumerate(names):
        if name in names[:index]:
            faults.append(((index, "name"), name, refused("another name: a group before it has this one")))
    refused_within(faults)
    ours = info.data.get("zones", ())
    return tuple(each if each.zones else each.model_copy(update={"zones": ours}) for each in groups)
