"""What the drivers that make EC2 machines have in common: zones and groups of nodes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from infra import checks
from infra.checks import Check
from infra.reading import Section


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Machines of one kind for pods: an auto scaling group over its zones."""

    name: str
    machine_type: str
    min: int
    max: int
    zones: tuple[str, ...]
    spot: bool
    """Whether AWS may take the machines back, for a lower price."""


def zones(section: Section, *, region: str) -> tuple[str, ...]:
    """Read the zones of the cluster, all of the region and each once."""

    def in_region(text: str) -> str | None:
        return None if re.fullmatch(rf"{region}[a-g]", text) else f"a zone of {region} such as {region}a"

    given = section.list_of_texts("zones", in_region)
    if len(set(given)) < len(given):
        section.refuse("zones", expected="every zone once")
    return given


def among(section: Section, zones: tuple[str, ...]) -> tuple[str, ...]:
    """Read some of the cluster's zones, by default all."""
    expected = f"a zone of cluster.zones: {', '.join(zones)}"
    return section.list_of_texts("zones", lambda text: None if text in zones else expected, default=zones)


def node_groups(
    section: Section, *, zones: tuple[str, ...], platform: str, name: Check = checks.namespace
) -> tuple[NodeGroup, ...]:
    """Read the groups under `nodes`, of machines that run the platform, and with names that pass the check."""
    groups = tuple(node_group(each, zones=zones, name=name) for each in section.sections("nodes"))
    together(section, groups, platform=platform)
    return groups


def node_group(section: Section, *, zones: tuple[str, ...], name: Check) -> NodeGroup:
    """Read one group and refuse every key of it that nobody has read."""
    group = NodeGroup(
        name=section.text("name", name),
        machine_type=section.text("machineType", checks.machine_type),
        min=section.integer("min", low=0),
        max=section.integer("max", low=1),
        zones=among(section, zones),
        spot=section.boolean("spot", default=False),
    )
    if group.min > group.max > 0:
        section.refuse("min", expected=f"at most max, which is {group.max}")
    section.close()
    return group


def together(section: Section, groups: Sequence[NodeGroup], *, platform: str) -> None:
    """Refuse names that are there twice, and machines that do not run the platform."""
    names = [each.name for each in groups if each.name]
    for each in sorted({each for each in names if names.count(each) > 1}):
        section.refuse("nodes", found=f"two groups called {each!r}", expected="a name for each group")
    for index, group in enumerate(groups):
        if platform and group.machine_type and checks.machine_platform(group.machine_type) != platform:
            found = f"{group.machine_type}, which is {checks.machine_platform(group.machine_type)}"
            section.refuse(f"nodes[{index}].machineType", found=found, expected=f"{platform}, as image.platform says")
