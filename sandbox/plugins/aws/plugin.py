"""Everything the stand-in for pulumi-resource-aws implements."""

from collections.abc import Sequence
from importlib.metadata import version

from sandbox.plugins.aws import elb
from sandbox.plugins.aws.alarm import MetricAlarm
from sandbox.plugins.aws.bucket import Bucket
from sandbox.plugins.aws.bucket_encryption import BucketEncryption
from sandbox.plugins.aws.bucket_policy import BucketPolicy
from sandbox.plugins.aws.bucket_settings import (
    BucketOwnershipControls,
    BucketPublicAccessBlock,
    BucketVersioning,
)
from sandbox.plugins.aws.certificate import Certificate
from sandbox.plugins.aws.client import connect
from sandbox.plugins.aws.ecr import LifecyclePolicy, Repository, get_authorization_token, get_images
from sandbox.plugins.aws.eks.access import AccessEntry, AccessPolicyAssociation
from sandbox.plugins.aws.eks.addon import Addon
from sandbox.plugins.aws.eks.cluster import Cluster
from sandbox.plugins.aws.eks.node_group import NodeGroup
from sandbox.plugins.aws.gateway import Eip, InternetGateway, NatGateway
from sandbox.plugins.aws.get_zone import get_zone
from sandbox.plugins.aws.health_check import HealthCheck
from sandbox.plugins.aws.iam import Role, RolePolicyAttachment
from sandbox.plugins.aws.kms import Alias, Key
from sandbox.plugins.aws.launch_template import LaunchTemplate
from sandbox.plugins.aws.log_group import LogGroup
from sandbox.plugins.aws.record import Record
from sandbox.plugins.aws.route import Route, RouteTable, RouteTableAssociation
from sandbox.plugins.aws.topic import Topic
from sandbox.plugins.aws.validation import CertificateValidation
from sandbox.plugins.aws.vpc import Subnet, Vpc
from sandbox.plugins.aws.zone import Zone
from sandbox.plugins.resource import Function, Plugin, ResourceType
from sandbox.plugins.values import Properties

TYPES = (
    Zone,
    Record,
    Certificate,
    CertificateValidation,
    Bucket,
    BucketVersioning,
    BucketEncryption,
    BucketPublicAccessBlock,
    BucketPolicy,
    BucketOwnershipControls,
    HealthCheck,
    Topic,
    MetricAlarm,
    Vpc,
    Subnet,
    InternetGateway,
    Eip,
    NatGateway,
    RouteTable,
    Route,
    RouteTableAssociation,
    LaunchTemplate,
    Role,
    RolePolicyAttachment,
    Key,
    Alias,
    LogGroup,
    Cluster,
    NodeGroup,
    Addon,
    AccessEntry,
    AccessPolicyAssociation,
    Repository,
    LifecyclePolicy,
)


def plugin() -> Plugin:
    """Describe the stand-in; the four skip... inputs change nothing, since it never makes those calls."""
    return Plugin(
        name="aws",
        version=version("pulumi-aws"),
        config={
            "region": str,
            "endpoints": [dict],
            "defaultTags": {"tags": dict},
            "s3UsePathStyle": bool,
            "skipCredentialsValidation": bool,
            "skipMetadataApiCheck": bool,
            "skipRequestingAccountId": bool,
            "skipRegionValidation": bool,
        },
        replace_on=frozenset({"region"}),
        build=_build,
    )


def _build(config: Properties) -> tuple[Sequence[ResourceType], Sequence[Function]]:
    aws = connect(config)
    functions = [*elb.functions(aws.region), get_authorization_token(aws), get_images(aws), get_zone(aws)]
    return [make(aws) for make in TYPES], functions
