"""LoadBalancer: the Service through which visitors reach the app over HTTPS."""

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
"""The ports of each kind: HTTP only if the app can tell it from HTTPS, and so redirect it."""

_UNTIL_REACHABLE = {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"}
"""Wait only until the controller has given the balancer its name. By default the provider also waits for the Service's
endpoints, and then 10 s more; here the pods are ready before there is a Service."""


class LoadBalancer(pulumi.ComponentResource):
    """The Service `<app>-service`, for which a controller of the cluster makes a load balancer.

    A classic ELB listens on port 80 as well: it speaks HTTP to the pods and adds X-Forwarded-Proto, which tells the app
    what to redirect. No other kind tells the app what the visitor spoke, so the others listen for HTTPS only.
    """

    hostname: pulumi.Output[str]
    """The balancer's host name, or its address if it has no name; known once it has one."""

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
        """Declare it; requests go to the pods with the label `app`, at their port named `port`."""
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
                # For another kind, a controller makes a second balancer, and nobody deletes the first.
                replace_on_changes=[f'metadata.annotations["{_ANNOTATION}-type"]'],
                delete_before_replace=True,
                # An imported Service has its address in the cluster among its inputs; dropping that would replace the
                # Service, and so the balancer.
                ignore_changes=["spec.clusterIP", "spec.clusterIPs"],
            ),
        )

        self.hostname = service.status.load_balancer.ingress[0].apply(lambda each: each.hostname or each.ip)
        self.register_outputs({"hostname": self.hostname})


def _annotations(kind: BalancerKind, certificate_arn: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """Return the annotations for AWS's controllers (https://cloud-provider-aws.sigs.k8s.io/service_controller/)."""
    ends_tls = {f"{_ANNOTATION}-ssl-cert": certificate_arn, f"{_ANNOTATION}-ssl-ports": "https"}
    match kind:
        case BalancerKind.CLASSIC:
            return {f"{_ANNOTATION}-backend-protocol": "http", **ends_tls}
        case BalancerKind.NLB:
            # The scheme is for the AWS Load Balancer Controller, whose balancers are internal by default.
            return {f"{_ANNOTATION}-type": "nlb", f"{_ANNOTATION}-scheme": "internet-facing", **ends_tls}
        case BalancerKind.NONE:
            # Without any annotation, a change from `nlb` would be a change of the whole map, and replace nothing.
            return {"ejemplo-django/balancer": kind.value}
