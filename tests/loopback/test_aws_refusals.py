"""Wrong values for the AWS plugin itself: terraform-provider-aws refuses each in its own words, before any call."""

import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.tools import tools

_ROLE = "arn:aws:iam::123456789012:role/eks"
CLUSTER = {"roleArn": _ROLE, "vpcConfig": {"subnetIds": ["subnet-1", "subnet-2"]}}

# Types that the program declares: the value, its path, and what Terraform's provider says of it.
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    # A word.
    (
        "acm/certificate:Certificate",
        {"domainName": "a.example.com", "validationMethod": "SMS"},
        "validationMethod",
        'expected validation_method to be one of ["EMAIL" "DNS" "HTTP"], got SMS',
    ),
    (
        "ecr/repository:Repository",
        {"imageTagMutability": "NEVER"},
        "imageTagMutability",
        'expected image_tag_mutability to be one of ["MUTABLE" "IMMUTABLE"',
    ),
    (
        "eks/addon:Addon",
        {"clusterName": "c", "addonName": "a", "resolveConflictsOnUpdate": "MAYBE"},
        "resolveConflictsOnUpdate",
        'expected resolve_conflicts_on_update to be one of ["OVERWRITE" "NONE" "PRESERVE"], got MAYBE',
    ),
    # A number: in a range, at least, one of a list.
    (
        "kms/key:Key",
        {"deletionWindowInDays": 3},
        "deletionWindowInDays",
        "expected deletion_window_in_days to be in the range (7 - 30), got 3",
    ),
    (
        "eks/nodeGroup:NodeGroup",
        {
            "clusterName": "c",
            "nodeRoleArn": _ROLE,
            "subnetIds": ["subnet-1"],
            "scalingConfig": {"desiredSize": 0, "maxSize": 0, "minSize": 0},
        },
        "scalingConfig.maxSize",
        "expected scaling_config.0.max_size to be at least (1), got 0",
    ),
    (
        "cloudwatch/logGroup:LogGroup",
        {"retentionInDays": 2},
        "retentionInDays",
        "expected retention_in_days to be one of [0 1 3 5 7 14 30",
    ),
    # A nested value.
    (
        "ec2/launchTemplate:LaunchTemplate",
        {"metadataOptions": {"httpTokens": "please"}},
        "metadataOptions.httpTokens",
        'expected http_tokens to be one of ["optional" "required"], got please',
    ),
    (
        "ec2/launchTemplate:LaunchTemplate",
        {"blockDeviceMappings": [{"ebs": {"encrypted": "maybe"}}]},
        "blockDeviceMappings[0].ebs.encrypted",
        "to be one of '', 'true', or 'false', got 'maybe'",
    ),
    # An element of a list.
    (
        "eks/cluster:Cluster",
        CLUSTER | {"enabledClusterLogTypes": ["gossip"]},
        "enabledClusterLogTypes",
        'expected enabled_cluster_log_types to be one of ["api" "audit" "authenticator"',
    ),
    # A network.
    (
        "ec2/vpc:Vpc",
        {"cidrBlock": "10.0.0.1/16"},
        "cidrBlock",
        "expected cidr_block to contain a valid network Value, expected 10.0.0.0/16, got 10.0.0.1/16",
    ),
    (
        "ec2/vpc:Vpc",
        {"cidrBlock": "10.0.0.0/8"},
        "cidrBlock",
        "to contain a network Value with between 16 and 28 significant bits, got: 8",
    ),
    (
        "ec2/subnet:Subnet",
        {"vpcId": "v", "cidrBlock": "10.0.0.0/33"},
        "cidrBlock",
        '"10.0.0.0/33" is not a valid CIDR block: invalid CIDR address',
    ),
    # JSON.
    (
        "iam/role:Role",
        {"assumeRolePolicy": "not JSON"},
        "assumeRolePolicy",
        '"assume_role_policy" contains an invalid JSON policy: not a JSON object',
    ),
    (
        "s3/bucketPolicy:BucketPolicy",
        {"bucket": "b", "policy": "{"},
        "policy",
        '"policy" contains an invalid JSON: unexpected end of JSON input',
    ),
    # An ARN.
    (
        "eks/accessEntry:AccessEntry",
        {"clusterName": "c", "principalArn": "me"},
        "principalArn",
        '"principal_arn" (me) is an invalid ARN: arn: invalid prefix',
    ),
    # A pattern.
    (
        "eks/cluster:Cluster",
        CLUSTER | {"name": "not a name"},
        "name",
        """"name" doesn't comply with restrictions ("^[0-9A-Za-z][0-9A-Za-z_-]*$"): "not a name\"""",
    ),
    (
        "kms/alias:Alias",
        {"name": "key", "targetKeyId": "k"},
        "name",
        "\"name\" must begin with 'alias/' and only contain [0-9A-Za-z_/-]",
    ),
    (
        "acm/certificate:Certificate",
        {"domainName": "a.example.com."},
        "domainName",
        "invalid value for domain_name (cannot end with a period)",
    ),
    # A length.
    (
        "s3/bucket:Bucket",
        {"bucket": "b" * 64},
        "bucket",
        "expected length of bucket to be in the range (0 - 63), got bbb",
    ),
    # Two that exclude each other, and one that needs another.
    (
        "route53/record:Record",
        {
            "zoneId": "Z",
            "name": "a",
            "type": "A",
            "records": ["192.0.2.1"],
            "aliases": [{"name": "b", "zoneId": "Z", "evaluateTargetHealth": False}],
        },
        "records",
        '"records": only one of `alias,records` can be specified',
    ),
    (
        "kms/key:Key",
        {"rotationPeriodInDays": 100},
        "rotationPeriodInDays",
        '"rotation_period_in_days": all of `enable_key_rotation,rotation_period_in_days` must be specified',
    ),
]


@pytest.fixture(scope="module")
def plugin() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """Start the plugin as the engine does; it never calls AWS."""
    with subprocess.Popen([tools()["pulumi-resource-aws"]], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        channel = grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}")
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        config = {
            "region": "us-east-1",
            "accessKey": "test",
            "secretKey": "test",
            "skipCredentialsValidation": True,
            "skipRequestingAccountId": True,
            "skipMetadataApiCheck": True,
        }
        stub.Configure(provider_pb2.ConfigureRequest(args=_struct(config), acceptSecrets=True))
        yield stub
        channel.close()
        process.terminate()


@pytest.mark.parametrize(
    ("kind", "inputs", "culprit", "said"),
    WRONG,
    ids=[f"{kind.split(':')[1]}-{at}-{number}" for number, (kind, _, at, _) in enumerate(WRONG)],
)
def test_a_wrong_value_is_refused_by_its_name_in_terraforms_words(
    plugin: provider_pb2_grpc.ResourceProviderStub, kind: str, inputs: dict[str, Any], culprit: str, said: str
) -> None:
    urn = f"urn:pulumi:dev::test::aws:{kind}::wrong"

    answer = plugin.Check(provider_pb2.CheckRequest(urn=urn, news=_struct(inputs), randomSeed=bytes(32)))

    # The bridge appends the path of the value to Terraform's message.
    reasons = [each.reason for each in answer.failures]
    assert [each for each in reasons if said in each and f"at 'wrong.{culprit}'" in each], reasons


def _struct(values: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message
