"""Driver `existing`: a cluster that somebody else looks after, used and never changed or deleted."""

import json

import pulumi

import contract
from infra import kubectl
from infra.balancer_kind import BalancerKind
from infra.cluster.existing.settings import ExistingSettings, StackOutput, kubeconfig_fault
from infra.kubectl import KubectlError
from infra.settings.aws import Aws


class KubeconfigError(pulumi.RunError):
    """Another stack has no kubeconfig to give. A RunError, so that its message is all that `pulumi up` shows."""


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
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Hand on what the settings say, or another stack; nothing of AWS is needed for it."""
        super().__init__("ejemplo-django:infra:ExistingCluster", name, None, opts)
        self.name = settings.name
        source = settings.source
        if isinstance(source, StackOutput):
            given = _of_stack(source, opts=pulumi.ResourceOptions(parent=self))
        else:
            given = pulumi.Output.secret(source.get_secret_value())
        self.kubeconfig = given.apply(_alone)
        self.balancer = settings.balancer
        self.register_outputs({"name": self.name, "kubeconfig": self.kubeconfig})


def _of_stack(source: StackOutput, *, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    """Read it as that stack's last `up` left it; of a stack of this program, by the contract of its outputs."""
    ours = source.stack.split("/")[1] == pulumi.get_project() and source.key == "kubeconfig"
    found: pulumi.Output[object] = (
        contract.read(source.stack, opts=opts).kubeconfig.apply(lambda text: text)
        if ours
        else pulumi.StackReference(source.stack, opts=opts).get_output(source.key)
    )
    return pulumi.Output.secret(found.apply(lambda value: _checked(value, source)))


def _alone(kubeconfig: str) -> str:
    """Keep the current context alone, so that no login to another cluster is in the state and the outputs."""
    try:
        return kubectl.minified(kubeconfig)
    except KubectlError as error:
        raise KubeconfigError(f"{error}. To mend it: {error.mend}") from error


def _checked(value: object, source: StackOutput) -> str:
    """Hand it on as text. What it is stays unsaid: it is secret."""
    if value is None:
        raise KubeconfigError(
            f"The stack {source.stack} has no output {source.key}, from which cluster.kubeconfigStack takes the "
            f"kubeconfig. `pulumi stack output --stack {source.stack}` lists what it has: name one of those in "
            "cluster.kubeconfigOutput, or bring that stack up first."
        )
    # Some programs export an object: as JSON it is a kubeconfig too.
    text = value if isinstance(value, str) else json.dumps(value)
    if wrong := kubeconfig_fault(text):
        raise KubeconfigError(
            f"The output {source.key} of the stack {source.stack}, from which cluster.kubeconfigStack takes the "
            f"kubeconfig, cannot be used: {wrong}. cluster.kubeconfigOutput can name another."
        )
    return text
