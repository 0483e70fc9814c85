"""Driver `existing`: a cluster that the program uses, and never changes or deletes."""

import json

import pulumi

import contract
from infra import kubeconfigs, kubectl
from infra.balancer_kind import BalancerKind
from infra.cluster.existing.settings import ExistingSettings, StackOutput, kubeconfig_fault
from infra.kubectl import KubectlError
from infra.settings.aws import Aws


class KubeconfigError(pulumi.RunError):
    """Another stack exports no usable kubeconfig. A RunError, so that `pulumi up` shows only its message."""


class ExistingCluster(pulumi.ComponentResource):
    """A cluster known by its kubeconfig."""

    name: str
    kubeconfig: pulumi.Output[str]
    balancer: BalancerKind

    def __init__(
        self,
        name: str,
        *,
        settings: ExistingSettings,
        aws: Aws,
        bucket: pulumi.Input[str],
        zone_id: pulumi.Input[str],
        protect: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Use the kubeconfig of the settings, or of another stack; nothing in AWS is needed."""
        super().__init__("ejemplo-django:infra:ExistingCluster", name, None, opts)
        self.name = settings.name
        source = settings.source
        if isinstance(source, StackOutput):
            given = _of_stack(source, opts=pulumi.ResourceOptions(parent=self))
        else:
            given = pulumi.Output.secret(source.get_secret_value())
        self.kubeconfig = given.apply(_minified)
        self.balancer = settings.balancer
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})


def _of_stack(source: StackOutput, *, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Return the kubeconfig as of that stack's last `up`.

    For a stack of this program, read it by the contract of its outputs.
    """
    ours = source.stack.split("/")[1] == pulumi.get_project() and source.key == "kubeconfig"
    found: pulumi.Output[object] = (
        contract.read(source.stack, opts=opts).kubeconfig.apply(lambda text: text)
        if ours
        else pulumi.StackReference(source.stack, opts=opts).get_output(source.key)
    )
    return pulumi.Output.secret(found.apply(lambda value: _checked(value, source)))


def _minified(kubeconfig: str) -> str:
    """Keep only the current context, so that the state and outputs have no login to another cluster."""
    try:
        return kubectl.minified(kubeconfig)
    except KubectlError as error:
        raise KubeconfigError(f"{error}. To fix it: {error.fix}") from error


def _checked(value: object, source: StackOutput) -> str:
    """Return the kubeconfig as text. Messages do not show it: it is secret."""
    if value is None:
        raise KubeconfigError(
            f"The stack {source.stack} has no output {source.key}, from which cluster.kubeconfigStack takes the "
            f"kubeconfig. `pulumi stack output --stack {source.stack}` lists its outputs: name one of those in "
            "cluster.kubeconfigOutput, or run `pulumi up` for that stack first."
        )
    # Some programs export an object: as JSON it is a kubeconfig too.
    text = kubeconfigs.switched(value if isinstance(value, str) else json.dumps(value), source.context)
    if wrong := kubeconfig_fault(text):
        raise KubeconfigError(
            f"The output {source.key} of the stack {source.stack}, from which cluster.kubeconfigStack takes the "
            f"kubeconfig, cannot be used: {wrong}. cluster.kubeconfigOutput can name another."
        )
    return text
