"""What the account has before the first stack: a user, a network, the node's instance, and a hosted zone."""

import ipaddress
import os
from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_api._internal import mock_random

from sandbox import addresses
from sandbox.aws import iam
from sandbox.logins import AWS_USER, aws_environment


def furnish() -> None:
    """Make the account's first resources with the API: a network, the node's instance, and the stacks' parent zone.

    Its only user has the sandbox's credentials.
    """
    mock_random.seed(addresses.CLUSTER)
    sandbox_user = aws_environment()
    iam.user_with_key(
        DEFAULT_ACCOUNT_ID,
        name=AWS_USER,
        key_id=sandbox_user["AWS_ACCESS_KEY_ID"],
        secret=sandbox_user["AWS_SECRET_ACCESS_KEY"],
    )
    ec2 = boto3.client("ec2", region_name=addresses.REGION)
    tags = [
        {"Key": f"kubernetes.io/cluster/{addresses.CLUSTER}", "Value": "owned"},
        {"Key": "Name", "Value": addresses.CLUSTER},
    ]

    def tagged(kind: str, *more: dict[str, str]) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": [*tags, *more]}]

    vpc = ec2.create_vpc(CidrBlock=addresses.NETWORK, TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    subnet = ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=addresses.NETWORK,
        AvailabilityZone=addresses.ZONE,
        TagSpecifications=tagged("subnet", {"Key": "kubernetes.io/role/elb", "Value": "1"}),
    )["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table"))["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway["InternetGatewayId"])
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(
        GroupName=f"nodes.{addresses.CLUSTER}",
        Description="nodes",
        VpcId=vpc,
        TagSpecifications=tagged("security-group"),
    )["GroupId"]
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.run_instances(
        ImageId=image,
        InstanceType="t3.medium",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[group],
        PrivateIpAddress=str(ipaddress.IPv4Address(addresses.NODE_ADDRESS)),
        TagSpecifications=tagged("instance"),
    )
    boto3.client("route53", region_name=addresses.REGION).create_hosted_zone(
        Name=addresses.PARENT_ZONE,
        CallerReference=addresses.WORLD,
        HostedZoneConfig={"Comment": "The zone above that of a stack"},
    )
    mock_random.seed(os.urandom(16))  # later ids must not repeat those from before a restart
