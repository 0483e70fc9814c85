"""The stand-in's types around a cluster: network, launch template, roles, keys, logs; against moto on loopback."""

import json
from typing import Any

import grpc
import pytest

from tests.fast.plugin_engine import Engine, RefusedError, Resource

VPC, SUBNET = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
INTERNET, NAT, EIP = "aws:ec2/internetGateway:InternetGateway", "aws:ec2/natGateway:NatGateway", "aws:ec2/eip:Eip"
TABLE, ROUTE = "aws:ec2/routeTable:RouteTable", "aws:ec2/route:Route"
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
ROLE, ATTACHMENT = "aws:iam/role:Role", "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
KEY, ALIAS, LOGS = "aws:kms/key:Key", "aws:kms/alias:Alias", "aws:cloudwatch/logGroup:LogGroup"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": ["sts:AssumeRole"]}],
}


@pytest.fixture
def vpc(aws: Engine) -> Resource:
    return aws.create(VPC, {"cidrBlock": "10.0.0.0/16", "enableDnsHostnames": True, "tags": {"own": "yes"}})


@pytest.fixture
def subnet(aws: Engine, vpc: Resource) -> Resource:
    return aws.create(SUBNET, {"vpcId": vpc.id, "cidrBlock": "10.0.0.0/19", "availabilityZone": "us-east-1a"})


@pytest.fixture
def table(aws: Engine, vpc: Resource) -> Resource:
    return aws.create(TABLE, {"vpcId": vpc.id})


@pytest.fixture
def nat(aws: Engine, subnet: Resource) -> Resource:
    address = aws.create(EIP, {"domain": "vpc"})
    return aws.create(NAT, {"allocationId": address.id, "subnetId": subnet.id})


def template(**changes: Any) -> dict[str, Any]:
    disk = {"volumeType": "gp3", "volumeSize": 20, "encrypted": "true", "deleteOnTermination": "true"}
    return {
        "updateDefaultVersion": True,
        "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
        "blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": disk}],
        "tagSpecifications": [{"resourceType": "instance", "tags": {"app": "ejemplo"}}],
    } | changes


# A type, its inputs, and a change of them with what it does.
ALONE: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = [
    (VPC, {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}, {"cidrBlock": "UPDATE_REPLACE"}),
    (INTERNET, {}, {"tags": {"a": "b"}}, {"tags": "ADD"}),
    (EIP, {"domain": "vpc"}, {"tags": {"a": "b"}}, {"tags": "ADD"}),
    (TEMPLATE, template(), template(tagSpecifications=[]), {"tagSpecifications[0]": "DELETE"}),
    (ROLE, {"assumeRolePolicy": json.dumps(TRUST)}, {"path": "/team/"}, {"path": "UPDATE_REPLACE"}),
    (KEY, {"description": "secrets", "enableKeyRotation": True}, {"description": "x"}, {"description": "UPDATE"}),
    (LOGS, {"name": "/aws/eks/c/cluster", "retentionInDays": 30}, {"name": "other"}, {"name": "UPDATE_REPLACE"}),
]


@pytest.mark.parametrize(("kind", "inputs", "change", "does"), ALONE, ids=[each[0] for each in ALONE])
def test_it_is_as_asked_has_both_kinds_of_tags_and_goes(
    aws: Engine, kind: str, inputs: dict[str, Any], change: dict[str, Any], does: dict[str, str]
) -> None:
    inputs = inputs | {"tags": {"own": "yes"}}
    made = aws.create(kind, inputs)
    assert made.state["tagsAll"] == {"app": "ejemplo", "own": "yes"}
    assert aws.refreshed(made) == made
    assert aws.changes(made, inputs) == {}
    if "tags" not in change:
        assert aws.changes(made, inputs | change) == does
    tagged = aws.update(made, inputs | {"tags": {"other": "1"}})
    assert aws.refreshed(tagged).state["tagsAll"] == {"app": "ejemplo", "other": "1"}
    aws.delete(tagged)
    assert aws.refresh(tagged) is None
    aws.delete(tagged)


@pytest.mark.parametrize("kind", [VPC, SUBNET, NAT, TEMPLATE, ROLE, KEY, LOGS])
def test_a_property_that_is_not_implemented_is_refused_by_name(aws: Engine, kind: str) -> None:
    with pytest.raises(RefusedError, match="somethingElse"):
        aws.check(kind, {"somethingElse": True})


def test_a_subnet_stays_where_it_is_and_gives_public_addresses_when_told(aws: Engine, subnet: Resource) -> None:
    assert aws.refreshed(subnet) == subnet
    inputs = subnet.inputs
    assert aws.changes(subnet, inputs | {"availabilityZone": "us-east-1b"}) == {"availabilityZone": "UPDATE_REPLACE"}
    public = aws.update(subnet, inputs | {"mapPublicIpOnLaunch": True})
    assert aws.refreshed(public).state["mapPublicIpOnLaunch"] is True


def test_an_internet_gateway_moves_to_another_vpc(aws: Engine, vpc: Resource, by_hand: Any) -> None:
    other = aws.create(VPC, {"cidrBlock": "10.1.0.0/16"})
    made = aws.create(INTERNET, {"vpcId": vpc.id})
    moved = aws.update(made, {"vpcId": other.id})
    assert aws.refreshed(moved).state["vpcId"] == other.id
    aws.delete(moved)
    assert by_hand("ec2").describe_internet_gateways()["InternetGateways"] == []


def test_a_gateway_lets_go_of_its_address_when_it_is_gone(aws: Engine, nat: Resource, by_hand: Any) -> None:
    assert aws.refreshed(nat) == nat
    assert nat.state["publicIp"]
    aws.delete(nat)
    assert aws.refresh(nat) is None
    by_hand("ec2").release_address(AllocationId=nat.state["allocationId"])


def test_a_route_is_led_elsewhere_in_place_and_found_gone(
    aws: Engine, vpc: Resource, table: Resource, nat: Resource, by_hand: Any
) -> None:
    internet = aws.create(INTERNET, {"vpcId": vpc.id})
    inputs = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0", "natGatewayId": nat.id}
    made = aws.create(ROUTE, inputs)
    assert aws.refreshed(made) == made
    with pytest.raises(grpc.RpcError, match=r"has a route to 0\.0\.0\.0/0 already"):
        aws.create(ROUTE, inputs)
    elsewhere = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": internet.id}
    assert set(aws.changes(made, elsewhere).values()) == {"ADD", "DELETE"}
    led = aws.update(made, elsewhere)
    assert aws.refreshed(led).state["gatewayId"] == internet.id
    by_hand("ec2").delete_route(RouteTableId=table.id, DestinationCidrBlock="0.0.0.0/0")
    assert aws.refresh(led) is None
    aws.delete(led)


def test_a_subnet_has_a_table_until_that_is_taken_away(aws: Engine, subnet: Resource, table: Resource) -> None:
    made = aws.create(ASSOCIATION, {"routeTableId": table.id, "subnetId": subnet.id})
    assert aws.refreshed(made) == made
    aws.delete(made)
    assert aws.refresh(made) is None
    aws.delete(made)


def test_a_changed_template_gets_a_version_that_a_preview_does_not_know_yet(aws: Engine) -> None:
    made = aws.create(TEMPLATE, template())
    assert (made.state["latestVersion"], made.state["defaultVersion"]) == (1, 1)
    strict = template(metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2})
    changed = aws.update(made, strict)
    assert (changed.state["latestVersion"], changed.state["defaultVersion"]) == (2, 2)
    assert aws.refreshed(changed).inputs == changed.inputs
    tagged = aws.update(changed, strict | {"tags": {"a": "b"}})
    assert tagged.state["latestVersion"] == 2


def test_a_role_whose_trust_says_the_same_is_no_change_and_another_is_mended(aws: Engine, by_hand: Any) -> None:
    inputs = {"assumeRolePolicy": json.dumps(TRUST)}
    made = aws.create(ROLE, inputs)
    assert aws.changes(made, {"assumeRolePolicy": json.dumps(TRUST, indent=2, sort_keys=True)}) == {}
    looser = json.loads(json.dumps(TRUST).replace("eks.amazonaws.com", "ec2.amazonaws.com"))
    by_hand("iam").update_assume_role_policy(RoleName=made.id, PolicyDocument=json.dumps(looser))
    drifted = aws.refreshed(made)
    assert set(aws.changes(drifted, inputs)) == {"assumeRolePolicy.Statement[0].Principal.Service"}
    assert aws.refreshed(aws.update(drifted, inputs)).state["assumeRolePolicy"] == inputs["assumeRolePolicy"]


def test_a_policy_on_a_role_is_found_gone_and_goes_with_it(aws: Engine, by_hand: Any) -> None:
    role = aws.create(ROLE, {"assumeRolePolicy": json.dumps(TRUST)})
    statement = {"Effect": "Allow", "Action": "ec2:DescribeVpcs", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    policy = by_hand("iam").create_policy(PolicyName="look", PolicyDocument=document)["Policy"]["Arn"]
    made = aws.create(ATTACHMENT, {"role": role.id, "policyArn": policy})
    assert aws.refreshed(made) == made
    by_hand("iam").detach_role_policy(RoleName=role.id, PolicyArn=policy)
    assert aws.refresh(made) is None
    aws.delete(made)
    aws.delete(role)
    assert aws.refresh(made) is None


def test_a_key_that_waits_for_its_deletion_is_gone(aws: Engine, by_hand: Any) -> None:
    made = aws.create(KEY, {"description": "secrets", "enableKeyRotation": True, "deletionWindowInDays": 10})
    assert by_hand("kms").get_key_rotation_status(KeyId=made.id)["KeyRotationEnabled"] is True
    plain = aws.update(made, {"description": "other", "enableKeyRotation": False, "deletionWindowInDays": 10})
    assert by_hand("kms").get_key_rotation_status(KeyId=made.id)["KeyRotationEnabled"] is False
    aws.delete(plain)
    left = by_hand("kms").describe_key(KeyId=made.id)["KeyMetadata"]
    assert left["KeyState"] == "PendingDeletion"
    assert aws.refresh(plain) is None


def test_an_alias_names_another_key_in_place(aws: Engine) -> None:
    one, other = (aws.create(KEY, {"description": each}) for each in ("one", "other"))
    made = aws.create(ALIAS, {"name": "alias/eks/c", "targetKeyId": one.id})
    assert made.state["targetKeyArn"] == one.state["arn"]
    assert aws.changes(made, {"name": "alias/eks/c", "targetKeyId": other.id}) == {"targetKeyId": "UPDATE"}
    renamed = aws.update(made, {"name": "alias/eks/c", "targetKeyId": other.id})
    assert aws.refreshed(renamed).state["targetKeyArn"] == other.state["arn"]
    aws.delete(renamed)
    assert aws.refresh(renamed) is None


def test_a_log_group_keeps_what_is_written_as_long_as_told(aws: Engine, by_hand: Any) -> None:
    made = aws.create(LOGS, {"name": "/aws/eks/c/cluster", "retentionInDays": 30})
    by_hand("logs").put_retention_policy(logGroupName=made.id, retentionInDays=1)
    drifted = aws.refreshed(made)
    assert aws.changes(drifted, {"name": made.id, "retentionInDays": 30}) == {"retentionInDays": "UPDATE"}
    forever = aws.update(drifted, {"name": made.id})
    assert aws.refreshed(forever).state["retentionInDays"] == 0
