"""LoadBalancer: the way in from the internet, TLS ended at the balancer."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.balancer_kind import BalancerKind
from infra.ownership import OURS

_ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer"

_PORTS = {
    BalancerKind.CLASSIC: {"http": 80, "https": 443},
    BalancerKind.NLB: {"https": 443},
    BalancerKind.NONE: {"https": 443},
}
"""What each kind listens on: http only where the app can tell it from https, and so redirect it."""

_UNTIL_REACHABLE = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"}
"""Until the controller has given the balancer its name. By default the provider waits besides for the Service's
endpoints, and 10 s more for them to settle; here the pods are ready before there is a Service."""


class LoadBalancer(pulumi.ComponentResource):
    """The Service `<app>-service`, for which the cluster's controller makes a balancer.

    A classic ELB speaks http to the pods and adds X-Forwarded-Proto, which is how the app knows whom to redirect, so
    it listens on port 80 as well. No other kind says what the visitor spoke: behind it there is https and nothing else.
    """

    hostname: pulumi.Output[str]
    """The balancer's own name, or its address where it has no name; known once it got one."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        port: pulumi.Input[str],
        kind: BalancerKind = BalancerKind.CLASSIC,
        certificate_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; what it takes goes to the pods with the label `app`, at their port called `port`."""
        super().__init__("ejemplo-django:infra:LoadBalancer", name, None, opts)
        labels = {"app": app}

        service = kubernetes.core.v1.Service(
            f"{name}-service",
            metadata={
                "name": f"{app}-service",
                "labels": labels,
                "annotations": _annotations(kind, certificate_arn) | OURS | _UNTIL_REACHABLE,
            },
            spec={
                "type": "LoadBalancer",
                "selector": labels,
                "ports": [
                    {"name": name, "port": number, "target_port": port, "protocol": "TCP"}
                    for name, number in _PORTS[kind].items()
                ],
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                # A controller makes a balancer of another kind beside the first, which then nobody deletes.
                replace_on_changes=[f'metadata.annotations["{_ANNOTATION}-type"]'],
                delete_before_replace=True,
                # A Service that was imported has the address that the cluster gave it among its inputs; to leave that
                # out again would replace the Service, and so the balancer.
                ignore_changes=["spec.clusterIP", "spec.clusterIPs"],
            ),
        )

        self.hostname = service.status.load_balancer.ingress[0].apply(lambda each: each.hostname or each.ip)
        self.register_outputs({"hostname": self.hostname})


def _annotations(kind: BalancerKind, certificate_arn: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """Say what AWS's controllers are to make; https://cloud-provider-aws.sigs.k8s.io/service_controller/ has them."""
    ends_tls = {f"{_ANNOTATION}-ssl-cert": certificate_arn, f"{_ANNOTATION}-ssl-ports": "https"}
    match kind:
        case BalancerKind.CLASSIC:
            return {f"{_ANNOTATION}-backend-protocol": "http", **ends_tls}
        case BalancerKind.NLB:
            # The scheme is for AWS's other controller, the Load Balancer Controller: by default its own are internal.
            return {f"{_ANNOTATION}-type": "nlb", f"{_ANNOTATION}-scheme": "internet-facing", **ends_tls}
        case BalancerKind.NONE:
            # Were there none left, a change from `nlb` would show as that of the whole map, and replace nothing.
            return {"ejemplo-django/balancer": kind.value}
