"""The settings of the driver `existing`: what they are, and how they are read and checked."""

import re
from dataclasses import dataclass, field
from typing import ClassVar

import pulumi

from infra import checks
from infra.balancer_kind import BalancerKind
from infra.cluster_settings import balancer
from infra.reading import Section

_SOURCES = ("kubeconfig", "kubeconfigFile", "kubeconfigStack")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutput:
    """Where another stack has its kubeconfig."""

    stack: str
    """Its whole name, `<organization>/<project>/<stack>`."""
    key: str
    """The output's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingSettings:
    """Driver `existing`: a cluster that somebody else looks after."""

    driver: ClassVar[str] = "existing"
    name: str
    kubeconfig: pulumi.Output[str] | StackOutput = field(repr=False, compare=False)
    """Secret: the contents of the file, or where another stack has it."""
    balancer: BalancerKind = BalancerKind.CLASSIC
    """What the cluster makes of a Service of type LoadBalancer."""


def read(section: Section) -> ExistingSettings:
    """Read the settings of the driver `existing`."""
    given = [key for key in _SOURCES if section.has(key)]
    kubeconfig: pulumi.Output[str] | StackOutput | None = _stack_output(section)
    if len(given) != 1:
        found = " and ".join(given) or "none"
        section.refuse("kubeconfig", found=found, expected=f"one of {', '.join(_SOURCES)}")
    elif kubeconfig is None:
        text = section.secret_or_file("kubeconfig", "kubeconfigFile", checks.kubeconfig)
        kubeconfig = pulumi.Output.secret(text)
    return ExistingSettings(
        name=section.text("name", checks.cluster_name),
        kubeconfig=pulumi.Output.secret("") if kubeconfig is None else kubeconfig,
        balancer=balancer.read(section, available=tuple(BalancerKind)),
    )


def _stack_output(section: Section) -> StackOutput | None:
    if section.has("kubeconfigOutput") and not section.has("kubeconfigStack"):
        section.refuse("kubeconfigOutput", expected="no such key without kubeconfigStack, whose output it names")
    if not section.has("kubeconfigStack"):
        return None
    stack = section.text("kubeconfigStack", _stack_name)
    if stack.split("/")[1:] == [pulumi.get_project(), pulumi.get_stack()]:
        section.refuse("kubeconfigStack", expected="another stack: this one has no cluster but the one it is given")
    return StackOutput(stack=stack, key=section.text("kubeconfigOutput", _output_name, default="kubeconfig"))


def _stack_name(text: str) -> str | None:
    part = r"[A-Za-z0-9_.-]+"
    expected = "a stack's whole name, <organization>/<project>/<stack>, such as organization/other/prod"
    return None if re.fullmatch(rf"{part}/{part}/{part}", text) else expected


def _output_name(text: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", text) else "the name of an output such as kubeconfig"
