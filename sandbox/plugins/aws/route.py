"""Route tables, their routes, and the subnets that have them."""

import zlib
from typing import Any, ClassVar

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.aws.ec2 import Ec2Thing, seen
from sandbox.plugins.aws.thing import Seen, given
from sandbox.plugins.resource import Call, PluginError, ResourceType
from sandbox.plugins.values import Properties

NO_TABLE = "InvalidRouteTableID.NotFound"


class RouteTable(Ec2Thing):
    """A route table without routes of its own: each is a resource."""

    token = "aws:ec2/routeTable:RouteTable"
    title, kind, gone = "EC2 Route Table", "route-table", (NO_TABLE,)
    inputs: ClassVar = {"vpcId": str, "tags": dict}
    required = frozenset({"vpcId"})
    computed = frozenset({"arn", "ownerId", "tagsAll"})
    replace_on = frozenset({"vpcId"})

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        made = self.ec2.create_route_table(VpcId=inputs["vpcId"], **self.tagged(tags))
        return str(made["RouteTable"]["RouteTableId"])

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        [table] = self.ec2.describe_route_tables(RouteTableIds=[id])["RouteTables"]
        owner = table.get("OwnerId", "")
        return seen({"vpcId": table["VpcId"], "arn": self.arn(id, owner), "ownerId": owner}, table)

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        self.ec2.delete_route_table(RouteTableId=id)


class Route(ResourceType):
    """One route to an IPv4 network, by an Internet gateway or a NAT gateway."""

    token = "aws:ec2/route:Route"
    names: ClassVar = {
        "routeTableId": "RouteTableId",
        "destinationCidrBlock": "DestinationCidrBlock",
        "gatewayId": "GatewayId",
        "natGatewayId": "NatGatewayId",
    }
    inputs: ClassVar = dict.fromkeys(names, str)
    required = frozenset({"routeTableId", "destinationCidrBlock"})
    computed = frozenset({"origin", "state"})
    replace_on = required

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.ec2 = aws.ec2

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make it; as with the official provider, a route that is there is an error."""
        table, destination = inputs["routeTableId"], inputs["destinationCidrBlock"]
        with doing(f"creating Route in Route Table ({table}) with destination ({destination})"):
            if self._live(table, destination):
                raise PluginError(f"Route Table ({table}) has a route to {destination} already: import or delete it")
            self.ec2.create_route(**given(inputs, **self.names))
        return f"r-{table}{zlib.crc32(destination.encode())}", self._written(inputs)

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look it up."""
        with unless(NO_TABLE), doing(f"reading Route ({id})"):
            return self._outputs(state["routeTableId"], state["destinationCidrBlock"])
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Lead it elsewhere."""
        with doing(f"updating Route ({id})"):
            self.ec2.replace_route(**given(inputs, **self.names))
        return self._written(inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        with unless(NO_TABLE, "InvalidRoute.NotFound"), doing(f"deleting Route ({id})"):
            self.ec2.delete_route(
                RouteTableId=state["routeTableId"], DestinationCidrBlock=state["destinationCidrBlock"]
            )

    def _written(self, inputs: Properties) -> Properties:
        with doing(f"reading Route in Route Table ({inputs['routeTableId']})"):
            outputs = self._outputs(inputs["routeTableId"], inputs["destinationCidrBlock"])
        if outputs is None:
            raise PluginError(f"Route Table ({inputs['routeTableId']}) lacks the route that was written, run it again")
        return outputs

    def _outputs(self, table: str, destination: str) -> Properties | None:
        live = self._live(table, destination)
        if live is None:
            return None
        named = {ours: live[theirs] for ours, theirs in self.names.items() if live.get(theirs)}
        return {"routeTableId": table, **named, "origin": live.get("Origin", ""), "state": live.get("State", "")}

    def _live(self, table: str, destination: str) -> dict[str, Any] | None:
        [found] = self.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"]
        live = (each for each in found["Routes"] if each.get("DestinationCidrBlock") == destination)
        return next(live, None)


class RouteTableAssociation(ResourceType):
    """That a subnet has a route table."""

    token = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    inputs: ClassVar = {"routeTableId": str, "subnetId": str}
    required = frozenset(inputs)
    replace_on = required
    delete_before_replace = True

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.ec2 = aws.ec2

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Give the subnet the table."""
        with doing(f"associating Route Table ({inputs['routeTableId']}) with Subnet ({inputs['subnetId']})"):
            made = self.ec2.associate_route_table(RouteTableId=inputs["routeTableId"], SubnetId=inputs["subnetId"])
        return str(made["AssociationId"]), inputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look it up."""
        wanted = [{"Name": "association.route-table-association-id", "Values": [id]}]
        with doing(f"reading Route Table Association ({id})"):
            tables = self.ec2.describe_route_tables(Filters=wanted)["RouteTables"]
        found = [each for table in tables for each in table["Associations"] if each["RouteTableAssociationId"] == id]
        if not found:
            return None
        return {"routeTableId": found[0]["RouteTableId"], "subnetId": found[0].get("SubnetId", "")}

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Leave the subnet with the VPC's main table."""
        with unless("InvalidAssociationID.NotFound"), doing(f"deleting Route Table Association ({id})"):
            self.ec2.disassociate_route_table(AssociationId=id)
