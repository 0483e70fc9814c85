"""StateBucket: the bucket for the cluster's description. Whoever can write to it controls the cluster."""

import pulumi
import pulumi_aws as aws


class StateBucket(pulumi.ComponentResource):
    """A bucket that is versioned, encrypted and private, and refuses plain HTTP."""

    name: pulumi.Output[str]
    """The bucket's name. Known once all of that is in force, so that nothing is written before."""

    def __init__(self, name: str, *, bucket: str, protect: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it; unless protected, the bucket is deleted with its contents."""
        super().__init__("ejemplo-django:infra:StateBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        made = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=bucket,
            force_destroy=not protect,
            # Its contents would not move to a bucket of another name.
            opts=pulumi.ResourceOptions(parent=self, protect=protect, ignore_changes=["bucket"]),
        )
        versioned = aws.s3.BucketVersioning(
            f"{name}-versioned",
            bucket=made.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        # S3's own keys, not KMS: every node of the cluster reads the bucket, and with KMS each would also need a grant
        # on a key, at a price per request, for the same readers.
        encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encrypted",
            bucket=made.bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )

        # The next three run one after the other, each by the bucket of the one before: S3 answers OperationAborted to
        # two changes of a bucket's access at the same time.
        owned = aws.s3.BucketOwnershipControls(
            f"{name}-owned",
            bucket=made.bucket,
            rule={"object_ownership": "BucketOwnerEnforced"},
            opts=child,
        )
        private = aws.s3.BucketPublicAccessBlock(
            f"{name}-private",
            bucket=owned.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        tls_only = aws.s3.BucketPolicy(
            f"{name}-tls-only",
            bucket=private.bucket,
            policy=pulumi.Output.json_dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Sid": "TlsOnly",
                            "Effect": "Deny",
                            "Principal": "*",
                            "Action": "s3:*",
                            "Resource": [made.arn, pulumi.Output.concat(made.arn, "/*")],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            ),
            opts=child,
        )

        self.name = pulumi.Output.all(tls_only.bucket, versioned.bucket, encrypted.bucket)[0]
        self.register_outputs({"name": self.name})
