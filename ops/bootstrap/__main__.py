"""Set up an AWS account for its first stack: the state bucket, a KMS key, and the workflows' roles.

It is a stack of its own, which the account's administrator deploys by hand: docs/ci.md has the commands.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws

ISSUER = "token.actions.githubusercontent.com"
PARTS = {"kops": ("deploy", "deploy-kops"), "eks": ("deploy", "deploy-eks"), "existing": ("deploy",)}
"""The policies of the deploy role, by the cluster's driver."""


def policy(file: str, words: Mapping[str, str]) -> str:
    """Return a policy of ops/policies/ with its placeholders, words in capitals such as ACCOUNT, replaced."""
    text = (Path(__file__).resolve().parents[1] / "policies" / f"{file}.json").read_text(encoding="utf-8")
    return json.dumps(json.loads(re.sub(r"\b[A-Z]+(?:_[A-Z]+)*\b", lambda found: words.get(found[0], found[0]), text)))


def bucket(name: str, opts: pulumi.ResourceOptions) -> aws.s3.Bucket:
    """Declare the state bucket: versioned, encrypted, private, TLS only."""
    kept = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(protect=True))
    made = aws.s3.Bucket("state", bucket=name, opts=kept)
    aws.s3.BucketVersioning(
        "state-versioned", bucket=made.bucket, versioning_configuration={"status": "Enabled"}, opts=opts
    )
    aws.s3.BucketServerSideEncryptionConfiguration(
        "state-encrypted",
        bucket=made.bucket,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
        opts=opts,
    )
    # One after the other: S3 answers OperationAborted to concurrent changes of a bucket's access.
    owned = aws.s3.BucketOwnershipControls(
        "state-owned", bucket=made.bucket, rule={"object_ownership": "BucketOwnerEnforced"}, opts=opts
    )
    private = aws.s3.BucketPublicAccessBlock(
        "state-private",
        bucket=owned.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    tls_only: dict[str, Any] = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [tls_only]})
    aws.s3.BucketPolicy("state-tls-only", bucket=private.bucket, policy=document, opts=opts)
    return made


def role(
    name: str,
    *,
    trust: str,
    policies: tuple[str, ...],
    words: Mapping[str, str],
    github: aws.iam.OpenIdConnectProvider,
    opts: pulumi.ResourceOptions,
) -> aws.iam.Role:
    """Declare a role that jobs of GitHub workflows assume, with policies of ops/policies/."""
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[github]))
    # A first `up` that makes a cluster takes longer than the default session of 1 hour.
    made = aws.iam.Role(
        name, name=name, assume_role_policy=policy(trust, words), max_session_duration=4 * 3600, opts=after
    )
    for each in policies:
        its = aws.iam.Policy(f"{name}-{each}", name=f"{name}-{each}", policy=policy(each, words), opts=opts)
        aws.iam.RolePolicyAttachment(f"{name}-{each}", role=made.name, policy_arn=its.arn, opts=opts)
    return made


config = pulumi.Config()
name, account, region = config.require("name"), config.require("account"), config.require("region")
repository: dict[str, str] = config.require_object("github")
stacks: dict[str, dict[str, str]] = config.require_object("stacks")
provider = aws.Provider(
    "aws",
    region=region,
    allowed_account_ids=[account],
    default_tags={"tags": {"project": "ejemplo-django", "stack": "bootstrap"}},
)
in_aws = pulumi.ResourceOptions(provider=provider)
kept = pulumi.ResourceOptions(provider=provider, protect=True)
state = bucket(f"{name}-pulumi-state", in_aws)
key = aws.kms.Key("state", description="Secrets of Pulumi's stacks", enable_key_rotation=True, opts=kept)
alias = aws.kms.Alias("state", name=f"alias/{name}-pulumi-state", target_key_id=key.key_id, opts=in_aws)
github = aws.iam.OpenIdConnectProvider(
    "github", url=f"https://{ISSUER}", client_id_lists=["sts.amazonaws.com"], opts=in_aws
)
known = {
    "ACCOUNT": account,
    "REGION": region,
    "GITHUB_OWNER": repository["owner"],
    "GITHUB_OWNER_ID": repository["ownerId"],
    "GITHUB_REPOSITORY": repository["repository"],
    "GITHUB_REPOSITORY_ID": repository["repositoryId"],
}
preview = role(f"{name}-preview", trust="preview-trust", policies=("preview",), words=known, github=github, opts=in_aws)
deploy: dict[str, pulumi.Output[str]] = {}
boundaries: dict[str, pulumi.Output[str]] = {}
for stack, its in stacks.items():
    machines = f"{name}-{stack}-machines"
    words = known | {
        "STACK": stack,
        "DOMAIN": its["domain"],
        "CLUSTER": its["cluster"],
        "REPOSITORY": its.get("repository", ""),
        "BOUNDARY": machines,
    }
    policies = PARTS[its["driver"]] + (("deploy-ecr",) if "repository" in its else ())
    deployer = role(
        f"{name}-{stack}-deploy", trust="deploy-trust", policies=policies, words=words, github=github, opts=in_aws
    )
    deploy[stack] = deployer.arn
    if its["driver"] == "kops":
        boundary = aws.iam.Policy(machines, name=machines, policy=policy("kops-machines", words), opts=in_aws)
        boundaries[stack] = boundary.arn
pulumi.export("backend", pulumi.Output.concat("s3://", state.bucket, f"?region={region}"))
pulumi.export("secretsProvider", pulumi.Output.concat("awskms://", alias.name, f"?region={region}"))
pulumi.export("previewRole", preview.arn)
pulumi.export("deployRoles", deploy)
pulumi.export("permissionsBoundaries", boundaries)
