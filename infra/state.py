"""StateBucket: where the cluster's description is kept. Whoever can write there owns the cluster."""

import pulumi
import pulumi_aws as aws


class StateBucket(pulumi.ComponentResource):
    """A bucket `clusters.<domain>`: versioned, encrypted, private, and closed to plain http."""

    name: pulumi.Output[str]
    """Known once all of that is in force, so that nothing is written before."""

    def __init__(self, name: str, *, domain: str, protect: bool, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare it; unless protected, the bucket is deleted with all that is in it."""
        super().__init__("ejemplo-django:infra:StateBucket", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        bucket = aws.s3.Bucket(
            f"{name}-bucket",
            bucket=f"clusters.{domain}",
            force_destroy=not protect,
            opts=pulumi.ResourceOptions(parent=self, protect=protect),
        )
        versioned = aws.s3.BucketVersioning(
            f"{name}-versioned",
            bucket=bucket.bucket,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        # S3's own keys and not KMS: every node of the cluster reads the bucket, and with KMS each would need
        # a grant on a key besides, at a price per request, for the same readers.
        encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encrypted",
            bucket=bucket.bucket,
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )

        # Each of the next three takes the bucket from the one before: S3 answers OperationAborted to two
        # changes of a bucket's access at the same time.
        owned = aws.s3.BucketOwnershipControls(
            f"{name}-owned",
            bucket=bucket.bucket,
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
                            "Resource": [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")],
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ],
                }
            ),
            opts=child,
        )

        self.name = pulumi.Output.all(tls_only.bucket, versioned.bucket, encrypted.bucket)[0]
        self.register_outputs({"name": self.name})
