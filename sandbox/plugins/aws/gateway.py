"""The ways out of a VPC: Internet gateways, NAT gateways and their addresses."""

import time
from typing import ClassVar

from sandbox.plugins.aws.ec2 import Ec2Thing, seen
from sandbox.plugins.aws.thing import POLL_SECONDS, Seen, given
from sandbox.plugins.resource import Call, PluginError
from sandbox.plugins.values import Properties

NAT_MADE_SECONDS, NAT_GONE_SECONDS = 10 * 60, 30 * 60
"""How long a NAT gateway may take to come and to go, as the official provider."""


class InternetGateway(Ec2Thing):
    """An Internet gateway of a VPC."""

    token = "aws:ec2/internetGateway:InternetGateway"
    title, kind, gone = "EC2 Internet Gateway", "internet-gateway", ("InvalidInternetGatewayID.NotFound",)
    inputs: ClassVar = {"vpcId": str, "tags": dict}
    computed = frozenset({"arn", "ownerId", "tagsAll"})

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it, of no VPC yet."""
        return str(self.ec2.create_internet_gateway(**self.tagged(tags))["InternetGateway"]["InternetGatewayId"])

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Attach it."""
        self.change(id, state={}, inputs=inputs, call=call)

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Move it to another VPC."""
        old, new = state.get("vpcId"), inputs.get("vpcId")
        if old and old != new:
            self._detach(id, old)
        if new and old != new:
            self.ec2.attach_internet_gateway(InternetGatewayId=id, VpcId=new)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        [gateway] = self.ec2.describe_internet_gateways(InternetGatewayIds=[id])["InternetGateways"]
        attached = [each["VpcId"] for each in gateway.get("Attachments", [])]
        owner = gateway.get("OwnerId", "")
        return seen(
            {"vpcId": attached[0] if attached else "", "arn": self.arn(id, owner), "ownerId": owner},
            gateway,
        )

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Detach and delete it."""
        if state.get("vpcId"):
            self._detach(id, state["vpcId"])
        self.ec2.delete_internet_gateway(InternetGatewayId=id)

    def _detach(self, id: str, vpc: str) -> None:
        try:
            self.ec2.detach_internet_gateway(InternetGatewayId=id, VpcId=vpc)
        except self.ec2.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "Gateway.NotAttached":
                raise


class Eip(Ec2Thing):
    """An Elastic IP address of a VPC."""

    token = "aws:ec2/eip:Eip"
    title, kind = "EC2 EIP", "elastic-ip"
    gone, in_use = ("InvalidAllocationID.NotFound",), ("InvalidIPAddress.InUse",)
    inputs: ClassVar = {"domain": str, "tags": dict}
    computed = frozenset({"allocationId", "publicIp", "arn", "tagsAll"})
    filled_in = frozenset({"domain"})
    replace_on = frozenset({"domain"})

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Allocate it."""
        return str(self.ec2.allocate_address(**given(inputs, domain="Domain"), **self.tagged(tags))["AllocationId"])

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        [address] = self.ec2.describe_addresses(AllocationIds=[id])["Addresses"]
        return seen(
            {
                "domain": address["Domain"],
                "allocationId": id,
                "publicIp": address["PublicIp"],
                "arn": self.arn(id, ""),
            },
            address,
        )

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Release it."""
        self.ec2.release_address(AllocationId=id)


class NatGateway(Ec2Thing):
    """A public NAT gateway in a subnet."""

    token = "aws:ec2/natGateway:NatGateway"
    title, kind, gone = "EC2 NAT Gateway", "natgateway", ("NatGatewayNotFound",)
    names: ClassVar = {
        "allocationId": "AllocationId",
        "subnetId": "SubnetId",
        "connectivityType": "ConnectivityType",
    }
    inputs: ClassVar = {**dict.fromkeys(names, str), "tags": dict}
    required = frozenset({"subnetId"})
    computed = frozenset({"publicIp", "privateIp", "networkInterfaceId", "tagsAll"})
    replace_on = frozenset(names)

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in EC2's default."""
        return {"connectivityType": "public"} | inputs

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        made = self.ec2.create_nat_gateway(**given(inputs, **self.names), **self.tagged(tags))
        return str(made["NatGateway"]["NatGatewayId"])

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Wait until it carries traffic."""
        self._await(id, "available", leaving="pending", deadline=call.deadline(NAT_MADE_SECONDS), call=call)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up; a deleted one is listed for an hour."""
        [gateway] = self.ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
        if gateway["State"] in ("deleted", "deleting", "failed"):
            return None
        [address] = gateway["NatGatewayAddresses"]
        return seen(
            {
                "allocationId": address.get("AllocationId", ""),
                "subnetId": gateway["SubnetId"],
                "connectivityType": gateway.get("ConnectivityType", "public"),
                "publicIp": address.get("PublicIp", ""),
                "privateIp": address.get("PrivateIp", ""),
                "networkInterfaceId": address.get("NetworkInterfaceId", ""),
            },
            gateway,
        )

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it and wait until it has let go of its address and its subnet."""
        self.ec2.delete_nat_gateway(NatGatewayId=id)
        self._await(id, "deleted", leaving="deleting", deadline=call.deadline(NAT_GONE_SECONDS), call=call)

    def _await(self, id: str, wanted: str, *, leaving: str, deadline: float, call: Call) -> None:
        while True:
            found = self.ec2.describe_nat_gateways(NatGatewayIds=[id])["NatGateways"]
            status = found[0]["State"] if found else "deleted"
            if status == wanted:
                return
            if status != leaving or time.monotonic() > deadline:
                why = found[0].get("FailureMessage", "it took too long") if found else "it is gone"
                raise PluginError(f"{self.title} ({id}) is {status} and not {wanted}: {why}")
            call.pause(POLL_SECONDS)
