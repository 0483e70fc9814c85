"""LoadBalancer: the way in from the internet, TLS ended at the balancer."""

import pulumi
import pulumi_kubernetes as kubernetes

_ANNOTATION = "service.beta.kubernetes.io/aws-load-balancer"


class LoadBalancer(pulumi.ComponentResource):
    """The Service `<app>-service`, for which AWS's controller makes a classic ELB.

    It speaks http to the pods and adds X-Forwarded-Proto, which is how the app knows whom to redirect.
    Another kind of balancer (NLB) ignores the protocol and adds no header: redirects would then never end.
    """

    hostname: pulumi.Output[str]
    """The balancer's own name, known once AWS gave it one."""

    def __init__(
        self,
        name: str,
        *,
        app: str,
        port: pulumi.Input[str],
        certificate_arn: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; 80 and 443 both lead to the pods with the label `app`, at their port called `port`."""
        super().__init__("ejemplo-django:infra:LoadBalancer", name, None, opts)
        labels = {"app": app}

        service = kubernetes.core.v1.Service(
            f"{name}-service",
            metadata={
                "name": f"{app}-service",
                "labels": labels,
                "annotations": {
                    f"{_ANNOTATION}-backend-protocol": "http",
                    f"{_ANNOTATION}-ssl-cert": certificate_arn,
                    f"{_ANNOTATION}-ssl-ports": "https",
                },
            },
            spec={
                "type": "LoadBalancer",
                "selector": labels,
                "ports": [
                    {"name": "http", "port": 80, "target_port": port, "protocol": "TCP"},
                    {"name": "https", "port": 443, "target_port": port, "protocol": "TCP"},
                ],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )

        self.hostname = service.status.load_balancer.ingress[0].hostname
        self.register_outputs({"hostname": self.hostname})
