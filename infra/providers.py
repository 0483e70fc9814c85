"""The two providers. The stack files disable the default providers, so that a resource without one is an error."""

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra import ownership
from infra.access import ClusterAccess
from infra.guards import foreign_in_aws, foreign_in_cluster, silence
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
"""The AWS services that the program uses: what an endpoint has to serve."""


def in_aws(*, settings: Aws, domain: str) -> pulumi.ResourceOptions:
    """Declare the AWS provider; return the options that use it, and warn if AWS does not answer.

    A resource with these options carries the stack's mark, of which `domain` is a part, and is refused if it exists
    already.

    With an endpoint nothing may reach the real AWS: the endpoint serves every service, a bucket is a path and not a
    host name, and no account, region or machine is looked up, since a dummy login has none.
    """
    silence.watch(settings)
    endpoint = settings.endpoint
    elsewhere = True if endpoint else None
    stays = pulumi.ResourceHook("aws-place", _refuse_another_place, pulumi.ResourceHookOptions(on_dry_run=True))
    provider = aws.Provider(
        "aws",
        region=settings.region,
        default_tags=aws.ProviderDefaultTagsArgs(tags=settings.tags),
        endpoints=[aws.ProviderEndpointArgs(**dict.fromkeys(_SERVICES, endpoint))] if endpoint else None,
        s3_use_path_style=elsewhere,
        skip_credentials_validation=elsewhere,
        skip_metadata_api_check=elsewhere,
        skip_region_validation=elsewhere,
        # In the state too, so that a refresh with another account's login fails instead of finding nothing.
        allowed_account_ids=[settings.account] if settings.account else None,
        skip_requesting_account_id=None if settings.account else elsewhere,
        opts=pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_update=[stays])),
    )
    guards = [ownership.marked_in_aws(domain), foreign_in_aws.refused(settings, domain=domain)]
    return pulumi.ResourceOptions(provider=provider, transformations=guards)


class PlaceError(pulumi.RunError):
    """The stack is elsewhere in AWS. A RunError, so that `pulumi up` shows only its message."""


def _refuse_another_place(args: pulumi.ResourceHookArgs) -> None:
    before, now = args.old_inputs or {}, args.new_inputs or {}
    for key, of_provider in (("aws.region", "region"), ("aws.account", "allowedAccountIds")):
        old, new = before.get(of_provider), now.get(of_provider)
        # Adding or removing the key does not change the account.
        if old and new and old != new:
            raise PlaceError(
                f"{key}: found {_text(new)}, expected {_text(old)}, where all of this stack is. Elsewhere all of it "
                "would be made anew. To have that, bring up a second stack there, or destroy this one first."
            )


def _text(value: object) -> str:
    # The provider gets a list as JSON.
    return str(value).strip('[]"')


def in_cluster(*, kubeconfig: pulumi.Input[str], identifier: str, needs: Needs, domain: str) -> pulumi.ResourceOptions:
    """Declare the Kubernetes provider, once the cluster is found fit; return the options that use it.

    An object with these options carries the stack's mark, of which `domain` is a part, and is refused if it exists
    already.

    `identifier` is static: with it a kubeconfig that changed, or is not known yet, updates the provider. Without it
    Pulumi would plan to replace the provider and everything in the cluster.
    """
    access = ClusterAccess("cluster", cluster=identifier, kubeconfig=kubeconfig, needs=needs, domain=domain)
    provider = kubernetes.Provider(
        "cluster",
        kubeconfig=pulumi.Output.secret(kubeconfig),
        cluster_identifier=identifier,
        namespace=needs.namespace,
        enable_server_side_apply=True,
        # Without it a changed password would replace the Secret `regcred`: deleted first, since its name is
        # fixed, and no pod could pull an image in between.
        enable_secret_mutable=True,
        opts=pulumi.ResourceOptions(depends_on=[access]),
    )
    no_others = foreign_in_cluster.refused(kubeconfig=kubeconfig, namespace=needs.namespace, domain=domain)
    guards = [ownership.marked_in_cluster(domain), no_others]
    return pulumi.ResourceOptions(provider=provider, transformations=guards)
