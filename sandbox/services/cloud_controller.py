"""AWS's cloud controller: it makes a load balancer with the ELB API for each Service of that type."""

from sandbox import addresses, pki
from sandbox.layout import Layout
from sandbox.logins import aws_environment
from sandbox.services import node
from sandbox.services.kubernetes import NO_LEADER
from sandbox.services.service import KUBERNETES, Service, https

_NODE = addresses.NODE_ADDRESS


def services(layout: Layout) -> list[Service]:
    """Return the cloud controller."""
    return [
        Service(
            name="cloud-controller",
            what="AWS's cloud controller",
            command=[
                str(layout.tools / "aws-cloud-controller-manager"),
                "--cloud-provider=aws",
                f"--cloud-config={layout.etc / 'cloud.conf'}",
                f"--kubeconfig={layout.etc / 'cloud-controller.kubeconfig'}",
                f"--bind-address={_NODE}",
                f"--cluster-name={addresses.CLUSTER}",
                "--configure-cloud-routes=false",
                NO_LEADER,
            ],
            environment=aws_environment("cloud-controller"),
            configure=lambda: _configure(layout),
            where=f"{_NODE}:10258",
            healthy=https(f"https://{_NODE}:10258/healthz", None),
            needs=("apiserver", "moto", KUBERNETES),
        )
    ]


def _configure(layout: Layout) -> None:
    pki.client(layout, "cloud-controller", user="cloud-controller-manager", group="system:masters")
    instance = node.instance()
    overrides = "".join(
        f'[ServiceOverride "{number}"]\n'
        f"Service={service}\nRegion={addresses.REGION}\nURL={addresses.AWS_ENDPOINT}\nSigningRegion={addresses.REGION}\n"
        for number, service in enumerate(("ec2", "elasticloadbalancing", "autoscaling"), start=1)
    )
    (layout.etc / "cloud.conf").write_text(
        f"[Global]\nZone={addresses.ZONE}\nVPC={instance['VpcId']}\nSubnetID={instance['SubnetId']}\n"
        f"KubernetesClusterID={addresses.CLUSTER}\n{overrides}"
    )
