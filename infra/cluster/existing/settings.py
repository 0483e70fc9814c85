"""The settings of the driver `existing`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr, ValidationInfo, WithJsonSchema, field_validator

from infra import kubeconfigs
from infra.balancer_kind import BalancerKind
from infra.settings.section import Section, expected, refused
from infra.settings.values import FROM_FILE, OUTPUT, STACK, ObjectName, of_another_stack

_SOURCES = ("kubeconfig", "kubeconfigFile", "kubeconfigStack")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOutput:
    """The output of another stack that has the kubeconfig."""

    stack: str
    """The stack's full name, `<organization>/<project>/<stack>`."""
    key: str
    """The output's name."""
    context: str | None
    """The context to use; None for the kubeconfig's current-context."""


def kubeconfig_fault(text: str) -> str | None:
    """Return what is wrong with the contents of a kubeconfig, without repeating them; None if nothing is found."""
    if wrong := kubeconfigs.mistake(text):
        return wrong
    return None if kubeconfigs.current(text)["context"] else "it is not a YAML object with clusters, users and contexts"


def _kubeconfig(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    text = kubeconfigs.switched(secret.get_secret_value(), info.data.get("context"))
    if fault := kubeconfig_fault(text):
        raise refused("the contents of a kubeconfig", found=f"a string that cannot be used ({fault})")
    return SecretStr(text)


KubeconfigFile = Annotated[
    SecretStr,
    FROM_FILE,
    AfterValidator(_kubeconfig),
    WithJsonSchema({"type": "string", "errorMessage": "the path of a kubeconfig"}),
]
StackName = Annotated[
    str,
    expected(
        "a stack's full name, <organization>/<project>/<stack>, such as organization/other/prod",
        pattern=f"^{STACK}$",
    ),
    AfterValidator(of_another_stack),
]
ContextName = Annotated[str, expected("the name of a context", min_length=1)]
OutputName = Annotated[str, expected("the name of an output such as kubeconfig", pattern=f"^{OUTPUT}$")]


class ExistingSettings(Section):
    """Driver `existing`: a cluster that the program uses but does not manage. Every preview checks whether it is fit.

    The kubeconfig comes from one of `kubeconfigFile`, `kubeconfigStack` and `kubeconfig`. It must have a
    current-context, unless `context` names one, and need no other file.
    """

    driver: Literal["existing"]
    """A cluster that the program does not manage."""
    name: ObjectName
    """The cluster's name. It cannot be changed later."""
    balancer: BalancerKind = BalancerKind.CLASSIC
    """The kind of load balancer: `classic`, a Classic Load Balancer, which also listens on port 80 so that the app can
    redirect to HTTPS; `nlb`, a Network Load Balancer, which takes HTTPS only; or `none`, if the balancer is not AWS's
    and the pods terminate TLS with `app.tlsSecret`. A change to or from `nlb` replaces the Service and its balancer."""
    context: ContextName | None = None
    """The context of the kubeconfig to use. Default: its current-context; `kubectl config use-context` changes that."""
    kubeconfig_file: KubeconfigFile | None = None
    """The path of a kubeconfig, relative to the project or beginning with `~`."""
    kubeconfig_stack: StackName | None = None
    """Another stack that exports the kubeconfig."""
    kubeconfig_output: OutputName | None = None
    """The output of `kubeconfigStack` that has the kubeconfig. Default: `kubeconfig`."""
    kubeconfig: Annotated[SecretStr, AfterValidator(_kubeconfig)] | None = None
    """The contents of a kubeconfig."""

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
        """The contents of the kubeconfig, or the output of another stack that has it."""
        if self.kubeconfig_stack:
            key = self.kubeconfig_output or "kubeconfig"
            return StackOutput(stack=self.kubeconfig_stack, key=key, context=self.context)
        return self.kubeconfig or self.kubeconfig_file or SecretStr("")

    @property
    def identity(self) -> dict[str, str]:
        """The values that cannot change, by key. infra/access.py recognizes the cluster itself."""
        return {"cluster.driver": self.driver}
