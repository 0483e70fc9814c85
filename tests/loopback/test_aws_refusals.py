"""Wrong values given to the AWS plugin directly: terraform-provider-aws refuses each before anything is made."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.tools import tools

TRUST = '{"Version": "2012-10-17", "Statement": []}'
CLUSTER = {"roleArn": "arn:aws:iam::123456789012:role/eks", "vpcConfig": {"subnetIds": ["subnet-1", "subnet-2"]}}

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("acm/certificate:Certificate", {"domainName": "a.example.com", "validationMethod": "SMS"}, "validationMethod"),
    ("acm/certificate:Certificate", {"domainName": "a.example.com", "keyAlgorithm": "RSA_1"}, "keyAlgorithm"),
    ("cloudwatch/logGroup:LogGroup", {"retentionInDays": 2}, "retentionInDays"),
    (
        "cloudwatch/metricAlarm:MetricAlarm",
        {"comparisonOperator": "About", "evaluationPeriods": 1},
        "comparisonOperator",
    ),
    ("ec2/launchTemplate:LaunchTemplate", {"metadataOptions": {"httpTokens": "please"}}, "httpTokens"),
    (
        "ec2/launchTemplate:LaunchTemplate",
        {"blockDeviceMappings": [{"deviceName": "/dev/xvda", "ebs": {"volumeType": "gp9"}}]},
        "volumeType",
    ),
    ("ec2/natGateway:NatGateway", {"subnetId": "subnet-1", "connectivityType": "secret"}, "connectivityType"),
    ("ec2/subnet:Subnet", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0"}, "cidrBlock"),
    ("ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/8"}, "cidrBlock"),
    ("ec2/vpc:Vpc", {"cidrBlock": "10.0.0.1/16"}, "cidrBlock"),
    ("ecr/repository:Repository", {"imageTagMutability": "SOMETIMES"}, "imageTagMutability"),
    (
        "eks/addon:Addon",
        {"clusterName": "c", "addonName": "a", "resolveConflictsOnCreate": "MAYBE"},
        "resolveConflictsOnCreate",
    ),
    ("eks/cluster:Cluster", CLUSTER | {"name": "not a name"}, "name"),
    ("eks/cluster:Cluster", CLUSTER | {"enabledClusterLogTypes": ["gossip"]}, "enabledClusterLogTypes"),
    ("iam/role:Role", {"assumeRolePolicy": TRUST, "maxSessionDuration": 60}, "maxSessionDuration"),
    ("iam/role:Role", {"assumeRolePolicy": TRUST, "name": "r" * 98}, "name"),
    ("iam/role:Role", {"assumeRolePolicy": "not JSON"}, "assumeRolePolicy"),
    ("kms/alias:Alias", {"name": "without-its-prefix", "targetKeyId": "k"}, "name"),
    ("kms/key:Key", {"deletionWindowInDays": 3}, "deletionWindowInDays"),
    ("route53/healthCheck:HealthCheck", {"type": "SMELL"}, "type"),
    ("route53/record:Record", {"zoneId": "Z1", "name": "a", "type": "B", "ttl": 60, "records": ["b"]}, "type"),
    (
        "s3/bucketOwnershipControls:BucketOwnershipControls",
        {"bucket": "b", "rule": {"objectOwnership": "Mine"}},
        "objectOwnership",
    ),
    ("s3/bucketVersioning:BucketVersioning", {"bucket": "b", "versioningConfiguration": {"status": "On"}}, "status"),
]


@pytest.fixture(scope="module")
def plugin() -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """The plugin as the engine starts it, for an AWS that is never asked."""
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
    ("kind", "inputs", "culprit"), WRONG, ids=[f"{kind.split(':')[1]}-{at}" for kind, _, at in WRONG]
)
def test_a_wrong_value_is_refused_by_its_name(
    plugin: provider_pb2_grpc.ResourceProviderStub, kind: str, inputs: dict[str, Any], culprit: str
) -> None:
    urn = f"urn:pulumi:dev::test::aws:{kind}::wrong"

    answer = plugin.Check(provider_pb2.CheckRequest(urn=urn, news=_struct(inputs), randomSeed=bytes(32)))

    # The bridge puts where a value stands behind Terraform's own words for what is wrong with it.
    assert any(re.search(rf"at 'wrong\.[^']*\b{culprit}'", each.reason) for each in answer.failures), answer.failures


def _struct(values: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(values)
    return message
