"""IAM roles for AWS services, with AWS managed policies only."""

import json
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws


class ServiceRole(pulumi.ComponentResource):
    """A role and its policies."""

    arn: pulumi.Output[str]
    policies: Sequence[pulumi.Resource]
    """The policy attachments: what needs the role is created after them and deleted before them."""

    def __init__(
        self,
        name: str,
        *,
        service: str,
        policies: Sequence[str],
        region: str,
        actions: Sequence[str] = ("sts:AssumeRole",),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it for a service such as eks.amazonaws.com, with the AWS managed policies of these names."""
        super().__init__("ejemplo-django:infra:ServiceRole", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": list(actions)}
        role = aws.iam.Role(
            name, assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": [trust]}), opts=child
        )
        self.policies = [
            aws.iam.RolePolicyAttachment(
                f"{name}-{policy}",
                role=role.name,
                policy_arn=f"arn:{partition(region)}:iam::aws:policy/{policy}",
                opts=child,
            )
            for policy in policies
        ]
        self.arn = role.arn
        self.register_outputs({"arn": self.arn})


def partition(region: str) -> str:
    """Return the AWS partition of a region, as in ARNs."""
    for start, name in {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}.items():
        if region.startswith(start):
            return name
    return "aws"
