"""The cluster's own VPC: public subnets for balancers and gateways, private ones for nodes and pods."""

import ipaddress
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

ANYWHERE = "0.0.0.0/0"


class Network(pulumi.ComponentResource):
    """A VPC over the cluster's zones, with a route to the internet."""

    private_subnet_ids: Mapping[str, pulumi.Output[str]]
    """By zone."""
    ways_out: Sequence[pulumi.Resource]
    """What a node in a private subnet needs to reach anything: nodes are created after these and deleted before
    them."""

    def __init__(
        self,
        name: str,
        *,
        cluster: str,
        cidr: str,
        zones: Sequence[str],
        nat: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `nat` is as in the driver's settings."""
        super().__init__("ejemplo-django:infra:EksNetwork", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        # `shared`: Kubernetes may use them for its balancers, and must keep them when the cluster is deleted.
        shared = {f"kubernetes.io/cluster/{cluster}": "shared"}

        vpc = aws.ec2.Vpc(
            name,
            cidr_block=cidr,
            # Both are needed to reach the control plane's private endpoint by its name.
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={"Name": cluster},
            opts=child,
        )
        internet = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags={"Name": cluster}, opts=child)
        public_routes = aws.ec2.RouteTable(
            f"{name}-public", vpc_id=vpc.id, tags={"Name": f"{cluster}-public"}, opts=child
        )
        public_route = aws.ec2.Route(
            f"{name}-public",
            route_table_id=public_routes.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=internet.id,
            opts=child,
        )
        private: dict[str, pulumi.Output[str]] = {}
        gateways: dict[str, aws.ec2.NatGateway] = {}
        ways_out: list[pulumi.Resource] = []
        for zone in zones:
            blocks = subnets(cidr, zone)
            public_subnet = aws.ec2.Subnet(
                f"{name}-public-{zone}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=blocks["public"],
                tags={"Name": f"{cluster}-public-{zone}", "kubernetes.io/role/elb": "1"} | shared,
                opts=child,
            )
            ways_out.append(
                aws.ec2.RouteTableAssociation(
                    f"{name}-public-{zone}", subnet_id=public_subnet.id, route_table_id=public_routes.id, opts=child
                )
            )
            if nat == "per-zone" or not gateways:
                address = aws.ec2.Eip(
                    f"{name}-{zone}", domain="vpc", tags={"Name": f"{cluster}-nat-{zone}"}, opts=child
                )
                gateways[zone] = aws.ec2.NatGateway(
                    f"{name}-{zone}",
                    allocation_id=address.id,
                    subnet_id=public_subnet.id,
                    tags={"Name": f"{cluster}-{zone}"},
                    # AWS creates a gateway only in a subnet that reaches the internet.
                    opts=pulumi.ResourceOptions(parent=self, depends_on=[public_route]),
                )
            private_subnet = aws.ec2.Subnet(
                f"{name}-private-{zone}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=blocks["private"],
                tags={"Name": f"{cluster}-private-{zone}", "kubernetes.io/role/internal-elb": "1"} | shared,
                opts=child,
            )
            # A table per zone even with one gateway: one gateway per zone then takes only a change of route.
            private_routes = aws.ec2.RouteTable(
                f"{name}-private-{zone}", vpc_id=vpc.id, tags={"Name": f"{cluster}-private-{zone}"}, opts=child
            )
            ways_out += [
                aws.ec2.Route(
                    f"{name}-private-{zone}",
                    route_table_id=private_routes.id,
                    destination_cidr_block=ANYWHERE,
                    nat_gateway_id=gateways.get(zone, next(iter(gateways.values()))).id,
                    opts=child,
                ),
                aws.ec2.RouteTableAssociation(
                    f"{name}-private-{zone}", subnet_id=private_subnet.id, route_table_id=private_routes.id, opts=child
                ),
            ]
            private[zone] = private_subnet.id

        self.private_subnet_ids, self.ways_out = private, ways_out
        self.register_outputs({"private_subnet_ids": private})


def subnets(cidr: str, zone: str) -> dict[str, str]:
    """Return the zone's `private` and `public` networks within the VPC's.

    The zone's letter, a to g, decides which, so that adding or removing a zone moves no other. Each of the first seven
    eighths is private to a zone; the last is cut into eighths again, one for each zone's balancers.
    """
    at = "abcdefg".index(zone[-1])
    eighths = list(ipaddress.IPv4Network(cidr).subnets(prefixlen_diff=3))
    return {"private": str(eighths[at]), "public": str(list(eighths[7].subnets(prefixlen_diff=3))[at])}
