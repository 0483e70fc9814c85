"""The settings of the driver `existing`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr, ValidationInfo, WithJsonSchema, field_validator

from infra import kubeconfigs
from infra.balancer_kind import BalancerKind
from infra.settings.section import Section, expected, facts, refused
from infra.settings.values import FROM_FILE, ObjectName

_PART = "[A-Za-z0-9_.-]+"
_SOURCES = ("kubeconfig", "kubeconfigFile", "kubeconfigStack")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutput:
    """Where another stack has its kubeconfig."""

    stack: str
    """Its whole name, `<organization>/<project>/<stack>`."""
    key: str
    """The output's name."""


def kubeconfig_fault(text: str) -> str | None:
    """Say what is wrong with the contents of a kubeconfig, without repeating them; None when nothing is seen."""
    if wrong := kubeconfigs.mistake(text):
        return wrong
    return None if kubeconfigs.current(text)["context"] else "it is no object of YAML with clusters, users and contexts"


def _kubeconfig(secret: SecretStr) -> SecretStr:
    if fault := kubeconfig_fault(secret.get_secret_value()):
        raise refused("the contents of a kubeconfig", found=f"a text that cannot be used ({fault})")
    return secret


KubeconfigFile = Annotated[
    SecretStr,
    FROM_FILE,
    AfterValidator(_kubeconfig),
    WithJsonSchema({"type": "string", "errorMessage": "the path of a kubeconfig"}),
]
StackName = Annotated[
    str,
    expected(
        "a stack's whole name, <organization>/<project>/<stack>, such as organization/other/prod",
        pattern=f"^{_PART}/{_PART}/{_PART}$",
    ),
]
OutputName = Annotated[str, expected("the name of an output such as kubeconfig", pattern="^[A-Za-z_][A-Za-z0-9_-]*$")]


class ExistingSettings(Section):
    """Driver `existing`: a cluster that somebody else looks after. Every preview looks whether it is fit.

    Its kubeconfig comes from one of `kubeconfigFile`, `kubeconfigStack` and `kubeconfig`. It must have a
    current-context and need no other file.
    """

    driver: Literal["existing"]
    """A cluster that somebody else looks after."""
    name: ObjectName
    """The cluster's identity, for ever."""
    balancer: BalancerKind = BalancerKind.CLASSIC
    """What the cluster makes of a Service of type LoadBalancer: `classic`, an ELB, which redirects http to https;
    `nlb`, a Network Load Balancer, which takes https alone; or `none`, where the balancer is not AWS's and the pods end
    TLS by `app.tlsSecret`. A change to or from `nlb` makes the Service, and its balancer, anew."""
    kubeconfig_file: KubeconfigFile | None = None
    """A kubeconfig on this machine, from the project or from `~`."""
    kubeconfig_stack: StackName | None = None
    """Another stack that has the kubeconfig among its outputs."""
    kubeconfig_output: OutputName | None = None
    """With `kubeconfigStack`: the name of that output; `kubeconfig` by default."""
    kubeconfig: Annotated[SecretStr, AfterValidator(_kubeconfig)] | None = None
    """The contents of a kubeconfig."""

    @field_validator("kubeconfig_stack")
    @classmethod
    def _another_stack(cls, stack: str | None, info: ValidationInfo) -> str | None:
        if stack and stack.partition("/")[2] == facts(info).stack:
            raise refused("another stack: this one has no cluster but the one it is given")
        return stack

    @field_validator("kubeconfig_output")
    @classmethod
    def _of_a_stack(cls, output: str | None, info: ValidationInfo) -> str | None:
        if output and info.data.get("kubeconfig_stack", "wrong") is None:
            raise refused("no such key without kubeconfigStack, whose output it names")
        return output

    @field_validator("kubeconfig")
    @classmethod
    def _one_of_three(cls, kubeconfig: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if {"kubeconfig_file", "kubeconfig_stack"} <= info.data.keys():
            values = (kubeconfig, info.data["kubeconfig_file"], info.data["kubeconfig_stack"])
            given = [name for name, value in zip(_SOURCES, values, strict=True) if value is not None]
            if len(given) != 1:
                raise refused(f"one of {', '.join(_SOURCES)}", found=" and ".join(given) or "none")
        return kubeconfig

    @property
    def source(self) -> SecretStr | StackOutput:
        """The contents of the kubeconfig, or where another stack has it."""
        if self.kubeconfig_stack:
            return StackOutput(stack=self.kubeconfig_stack, key=self.kubeconfig_output or "kubeconfig")
        return self.kubeconfig or self.kubeconfig_file or SecretStr("")
