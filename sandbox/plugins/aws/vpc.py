"""VPCs and their subnets."""

from typing import Any, ClassVar

from sandbox.plugins.aws.ec2 import Ec2Thing, seen
from sandbox.plugins.aws.thing import Seen, given
from sandbox.plugins.resource import Call
from sandbox.plugins.values import Properties


class Vpc(Ec2Thing):
    """A VPC with one network."""

    token = "aws:ec2/vpc:Vpc"
    title, kind, gone = "EC2 VPC", "vpc", ("InvalidVpcID.NotFound",)
    inputs: ClassVar = {"cidrBlock": str, "enableDnsHostnames": bool, "enableDnsSupport": bool, "tags": dict}
    required = frozenset({"cidrBlock"})
    computed = frozenset(
        {"arn", "ownerId", "mainRouteTableId", "defaultRouteTableId", "defaultSecurityGroupId", "tagsAll"}
    ) | {"defaultNetworkAclId", "dhcpOptionsId"}
    replace_on = frozenset({"cidrBlock"})
    attributes: ClassVar = {"enableDnsSupport": "EnableDnsSupport", "enableDnsHostnames": "EnableDnsHostnames"}

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in EC2's defaults."""
        return {"enableDnsSupport": True, "enableDnsHostnames": False} | inputs

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        return str(self.ec2.create_vpc(CidrBlock=inputs["cidrBlock"], **self.tagged(tags))["Vpc"]["VpcId"])

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Set what a VPC is not made with."""
        self.change(id, state={}, inputs=inputs, call=call)

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Set the two attributes, each in a request of its own, as EC2 wants it."""
        for ours, theirs in self.attributes.items():
            if inputs[ours] != state.get(ours):
                self.ec2.modify_vpc_attribute(VpcId=id, **{theirs: {"Value": inputs[ours]}})

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up, with what EC2 made for it."""
        [vpc] = self.ec2.describe_vpcs(VpcIds=[id])["Vpcs"]
        own = [{"Name": "vpc-id", "Values": [id]}]
        [main] = self.ec2.describe_route_tables(Filters=[*own, {"Name": "association.main", "Values": ["true"]}])[
            "RouteTables"
        ]
        [group] = self.ec2.describe_security_groups(Filters=[*own, {"Name": "group-name", "Values": ["default"]}])[
            "SecurityGroups"
        ]
        [acl] = self.ec2.describe_network_acls(Filters=[*own, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
        return seen(
            {
                "cidrBlock": vpc["CidrBlock"],
                **{ours: self._attribute(id, theirs) for ours, theirs in self.attributes.items()},
                "arn": self.arn(id, vpc["OwnerId"]),
                "ownerId": vpc["OwnerId"],
                "dhcpOptionsId": vpc["DhcpOptionsId"],
                "mainRouteTableId": main["RouteTableId"],
                "defaultRouteTableId": main["RouteTableId"],
                "defaultSecurityGroupId": group["GroupId"],
                "defaultNetworkAclId": acl["NetworkAclId"],
            },
            vpc,
        )

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        self.ec2.delete_vpc(VpcId=id)

    def _attribute(self, id: str, name: str) -> bool:
        asked = name[0].lower() + name[1:]
        return bool(self.ec2.describe_vpc_attribute(VpcId=id, Attribute=asked)[name]["Value"])


class Subnet(Ec2Thing):
    """A subnet of a VPC."""

    token = "aws:ec2/subnet:Subnet"
    title, kind, gone = "EC2 Subnet", "subnet", ("InvalidSubnetID.NotFound",)
    names: ClassVar = {"vpcId": "VpcId", "cidrBlock": "CidrBlock", "availabilityZone": "AvailabilityZone"}
    inputs: ClassVar = {**dict.fromkeys(names, str), "mapPublicIpOnLaunch": bool, "tags": dict}
    required = frozenset({"vpcId", "cidrBlock"})
    computed = frozenset({"arn", "ownerId", "availabilityZoneId", "tagsAll"})
    filled_in = frozenset({"availabilityZone"})
    replace_on = frozenset(names)

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in EC2's default."""
        return {"mapPublicIpOnLaunch": False} | inputs

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        made = self.ec2.create_subnet(**given(inputs, **self.names), **self.tagged(tags))
        return str(made["Subnet"]["SubnetId"])

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Set what a subnet is not made with."""
        self.change(id, state={"mapPublicIpOnLaunch": False}, inputs=inputs, call=call)

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Set whether what starts in it has a public address."""
        if inputs["mapPublicIpOnLaunch"] != state.get("mapPublicIpOnLaunch"):
            self.ec2.modify_subnet_attribute(SubnetId=id, MapPublicIpOnLaunch={"Value": inputs["mapPublicIpOnLaunch"]})

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        [subnet] = self.ec2.describe_subnets(SubnetIds=[id])["Subnets"]
        live: dict[str, Any] = {ours: subnet[theirs] for ours, theirs in self.names.items()}
        live |= {
            "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
            "arn": self.arn(id, subnet["OwnerId"]),
            "ownerId": subnet["OwnerId"],
            "availabilityZoneId": subnet["AvailabilityZoneId"],
        }
        return seen(live, subnet)

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        self.ec2.delete_subnet(SubnetId=id)
