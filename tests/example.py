"""A valid configuration, and what the cloud would answer to the resources that the program declares for it.

The recorder uses both. No value is real. All secrets differ, so a test can tell which one it finds.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.balancer_kind import BalancerKind
from infra.settings.needs import Needs

Inputs = dict[str, Any]
"""The inputs of a resource, or a configuration by its keys."""

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "https://cluster.test:6443"}}]
users: [{name: admin, user: {token: kubeconfig-token}}]
contexts: [{name: admin@test, context: {cluster: test, user: admin}}]
current-context: admin@test
"""
PASSWORD = "registry-password-of-the-tests"  # not a real password
ECR = "000000000000.dkr.ecr.us-east-1.amazonaws.com"
ECR_PASSWORD = "password-that-ecr-gave"  # not a real password
DIGEST = "registry.example.test:5000/contraslash/ejemplo-django@sha256:" + "5" * 64
CERTIFICATE = "arn:aws:acm:us-east-1:000000000000:certificate/requested"
ELB = "a0b1c2.us-east-1.elb.amazonaws.com"
MADE_KEY = "the-key-that-the-random-key-made"
AWS_SECRET = "the-text-out-of-secrets-manager"  # not a real secret
NEEDS = Needs(
    namespace="default",
    makes_namespace=False,
    platform="linux/amd64",
    balancer=BalancerKind.CLASSIC,
    service="site-service",
    tls_secret="",
)
"""What a small stack needs from its cluster."""
NAME_SERVERS = ["ns-1.awsdns.test", "ns-2.awsdns.test"]


def _nothing(name: str, inputs: Inputs) -> Inputs:
    return {}


def _arn(name: str, inputs: Inputs) -> Inputs:
    return {"arn": f"arn:aws:test:us-east-1:000000000000:{name}"}


def _object(name: str, inputs: Inputs) -> Inputs:
    """Name a Kubernetes object as the provider does when the program gives it no name."""
    metadata = inputs.get("metadata", {})
    return {"metadata": {"name": f"{name}-0a1b2c3d", **metadata}}


COMPUTED: Mapping[str, Callable[[str, Inputs], Inputs]] = {
    "pulumi:providers:aws": _nothing,
    "pulumi:providers:kubernetes": _nothing,
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": _nothing,
    "aws:ecr/repository:Repository": lambda _, inputs: {
        "registryId": ECR.partition(".")[0],
        "repositoryUrl": f"{ECR}/{inputs['name']}",
    },
    "aws:route53/zone:Zone": lambda _, inputs: {"zoneId": "ZONE", "nameServers": NAME_SERVERS},
    "aws:route53/record:Record": lambda _, inputs: {"fqdn": inputs["name"]},
    "aws:acm/certificate:Certificate": lambda _, inputs: {
        "arn": CERTIFICATE,
        "domainValidationOptions": [
            {
                "domainName": host,
                "resourceRecordName": f"_proof.{host}",
                "resourceRecordType": "CNAME",
                "resourceRecordValue": f"_{host}.acm.test",
            }
            # Not in the order of the certificate's names.
            for host in reversed(inputs["subjectAlternativeNames"])
        ],
    },
    "aws:acm/certificateValidation:CertificateValidation": _nothing,
    "aws:cloudwatch/logGroup:LogGroup": _arn,
    "aws:ec2/eip:Eip": _nothing,
    "aws:ec2/internetGateway:InternetGateway": _nothing,
    "aws:ec2/launchTemplate:LaunchTemplate": lambda *_: {"latestVersion": 1},
    "aws:ec2/natGateway:NatGateway": _nothing,
    "aws:ec2/route:Route": _nothing,
    "aws:ec2/routeTable:RouteTable": _nothing,
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _nothing,
    "aws:ec2/subnet:Subnet": _nothing,
    "aws:ec2/vpc:Vpc": _nothing,
    "aws:eks/accessEntry:AccessEntry": _nothing,
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation": _nothing,
    "aws:eks/addon:Addon": _nothing,
    "aws:eks/cluster:Cluster": lambda *_: {
        "endpoint": "https://eks.example.test",
        "certificateAuthority": {"data": "YXV0aG9yaXR5"},
    },
    "aws:eks/nodeGroup:NodeGroup": _nothing,
    "aws:iam/role:Role": lambda name, _: {"name": name, "arn": f"arn:aws:iam::000000000000:role/{name}"},
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": _nothing,
    "aws:kms/alias:Alias": _nothing,
    "aws:kms/key:Key": lambda name, inputs: {"keyId": name, **_arn(name, inputs)},
    "aws:s3/bucket:Bucket": lambda _, inputs: {"arn": f"arn:aws:s3:::{inputs['bucket']}"},
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": _nothing,
    "aws:s3/bucketPolicy:BucketPolicy": _nothing,
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": _nothing,
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": _nothing,
    "aws:s3/bucketVersioning:BucketVersioning": _nothing,
    "docker:index/image:Image": lambda _, inputs: {"repoDigest": DIGEST},
    "kubernetes:apps/v1:Deployment": _object,
    "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": _object,
    "kubernetes:batch/v1:CronJob": _object,
    "kubernetes:batch/v1:Job": _object,
    "kubernetes:core/v1:Namespace": _object,
    "kubernetes:core/v1:Secret": _object,
    "kubernetes:core/v1:Service": lambda name, inputs: {
        **_object(name, inputs),
        "status": {"loadBalancer": {"ingress": [{"hostname": ELB}]}},
    },
    "kubernetes:policy/v1:PodDisruptionBudget": _object,
    "pulumi-python:dynamic/ejemplo-django:AwsSecret": lambda *_: {"value": AWS_SECRET, "version": "1"},
    "pulumi-python:dynamic/ejemplo-django:ClusterAccess": _nothing,
    "pulumi-python:dynamic/ejemplo-django:ClusterIdentity": _nothing,
    "pulumi-python:dynamic/ejemplo-django:DelegationSeen": lambda _, inputs: {"parent": "example.com"},
    "pulumi-python:dynamic/ejemplo-django:ImagePushed": _nothing,
    "pulumi-python:dynamic/ejemplo-django:KopsApplied": lambda _, inputs: {"plan": {}, "pending": []},
    "pulumi-python:dynamic/ejemplo-django:KopsReady": lambda _, inputs: {"kubeconfig": KUBECONFIG, "nodes": []},
    "pulumi-python:dynamic/ejemplo-django:KopsSpec": lambda _, inputs: {"hash": "hash-of-the-spec"},
    "pulumi-python:dynamic/ejemplo-django:RandomKey": lambda _, inputs: {"value": MADE_KEY},
}
INVOKES: Mapping[str, Inputs] = {
    "aws:ecr/getAuthorizationToken:getAuthorizationToken": {"userName": "AWS", "password": ECR_PASSWORD},
    "aws:ecr/getImages:getImages": {"imageIds": [{"imageTag": "v0", "imageDigest": f"sha256:{'0' * 64}"}]},
    "aws:elb/getHostedZoneId:getHostedZoneId": {"id": "ELB-ZONE"},
    "aws:route53/getZone:getZone": {"zoneId": "FOUND", "name": "example.com", "privateZone": False},
    "aws:lb/getHostedZoneId:getHostedZoneId": {"id": "NLB-ZONE"},
}
STACKS: Mapping[str, Inputs] = {
    "organization/other/prod": {
        "kubeconfig": KUBECONFIG,
        "admin": yaml.safe_load(KUBECONFIG),
        "url": "https://other.example.com",
    },
    "organization/ejemplo-django/prod": {
        "hostname": ELB,
        "url": "https://prod.example.com/",
        "nameServers": NAME_SERVERS,
        "zoneId": "ZONE",
        "certificateArn": CERTIFICATE,
        "stateStore": "s3://clusters.prod.example.com",
        "clusterName": "useast1.prod.example.com",
        "kubeconfig": KUBECONFIG,
        "image": DIGEST,
        "namespace": "default",
        "pullSecret": "regcred",
        "schemaVersion": 1,
    },
}
"""The outputs of other stacks, by the stack's full name."""

READS: Mapping[str, Callable[[str, Mapping[str, str]], Inputs]] = {
    "pulumi:pulumi:StackReference": lambda id, _: {"name": id, "outputs": STACKS[id], "secretOutputNames": []},
    # Covers every host that the configuration can have.
    "aws:acm/certificate:Certificate": lambda id, values: {
        "arn": id,
        "status": "ISSUED",
        "subjectAlternativeNames": [values["domain"], f"*.{values['domain']}"],
    },
    "aws:route53/zone:Zone": lambda id, values: {"zoneId": id, "name": values["domain"], "nameServers": NAME_SERVERS},
}
"""By type, the state of a resource that the program only reads, made from its id and the configuration."""


def settings(directory: Path) -> Inputs:
    """Return a valid configuration by key, and write the files that it names into the directory."""
    (directory / "kubeconfig").write_text(KUBECONFIG)
    (directory / "password").write_text(f"{PASSWORD}\n")
    (directory / "context").mkdir(exist_ok=True)
    (directory / "context" / "Dockerfile").write_text("FROM base AS build\nFROM base AS run\nUSER 10001\n")
    return {
        "domain": "dev.example.com",
        "aws": {"region": "us-east-1", "tags": {"project": "ejemplo-django"}},
        "cluster": {
            "driver": "existing",
            "name": "useast1.dev.example.com",
            "kubeconfigFile": str(directory / "kubeconfig"),
        },
        "registry": {
            "server": "registry.example.test:5000",
            "username": "ci",
            "email": "ci@example.test",
            "passwordFile": str(directory / "password"),
        },
        "app": {
            "name": "ejemplo-django",
            "health": {"path": "/healthz", "readiness": {"path": "/readyz"}},
            "env": {"ALLOWED_HOSTS": "ejemplo-django.dev.example.com", "BEHIND_TLS_BALANCER": "True"},
            "randomSecrets": {"SECRET_KEY": 64},
        },
        "image": {"repository": "contraslash/ejemplo-django", "context": str(directory / "context")},
    }
