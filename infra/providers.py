"""The two providers. The stack files disable the default ones, so that a forgotten one is an error."""

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra.access import ClusterAccess
from infra.settings.aws import Aws
from infra.settings.needs import Needs

_SERVICES = (
    "acm",
    "ec2",
    "ecr",
    "eks",
    "elb",
    "iam",
    "kms",
    "logs",
    "route53",
    "s3",
    "s3control",
    "sts",
)
"""The AWS services behind the resources of the program: what an endpoint has to speak for."""


def aws_provider(name: str, *, settings: Aws) -> aws.Provider:
    """Declare the provider of everything in AWS.

    With an endpoint nothing of it may reach for the real AWS: every service is that endpoint, a bucket is a
    path there and not a host, and no account, region or machine is looked up, since a dummy login has none.
    """
    endpoint = settings.endpoint
    elsewhere = True if endpoint else None
    return aws.Provider(
        name,
        region=settings.region,
        default_tags=aws.ProviderDefaultTagsArgs(tags=settings.tags),
        endpoints=[aws.ProviderEndpointArgs(**dict.fromkeys(_SERVICES, endpoint))] if endpoint else None,
        s3_use_path_style=elsewhere,
        skip_credentials_validation=elsewhere,
        skip_metadata_api_check=elsewhere,
        skip_region_validation=elsewhere,
        skip_requesting_account_id=elsewhere,
    )


def in_cluster(*, kubeconfig: pulumi.Input[str], identifier: str, needs: Needs) -> pulumi.ResourceOptions:
    """Declare the provider of everything in the cluster, once that was found fit; give the options that use it.

    The identifier is static: with it a kubeconfig that changed, or is not known yet, updates the provider;
    without it the provider, and all that lives in the cluster with it, would be planned for replacement.
    """
    access = ClusterAccess("cluster", kubeconfig=kubeconfig, needs=needs)
    provider = kubernetes.Provider(
        "cluster",
        kubeconfig=pulumi.Output.secret(kubeconfig),
        cluster_identifier=identifier,
        namespace=needs.namespace,
        enable_server_side_apply=True,
        # Without it a changed password would replace the secret `regcred`: deleted first, for its name is
        # fixed, and no pod could pull in between.
        enable_secret_mutable=True,
        opts=pulumi.ResourceOptions(depends_on=[access]),
    )
    return pulumi.ResourceOptions(provider=provider)
