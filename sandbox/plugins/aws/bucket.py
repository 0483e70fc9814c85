"""S3 buckets."""

from typing import Any, ClassVar

from sandbox.plugins.aws.client import AwsError, doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, PartialFailureError, PluginError
from sandbox.plugins.values import Properties

FIRST_REGION = "us-east-1"
"""The one region that S3 does not want named when a bucket is made there."""
SUFFIX = 7
"""Hexadecimal digits after a generated name, as the official provider."""
GONE = ("NoSuchBucket", "404")


class Bucket(Tagged):
    """A bucket; its id is its name."""

    token = "aws:s3/bucket:Bucket"
    inputs: ClassVar = {"bucket": str, "forceDestroy": bool, "tags": dict}
    computed = frozenset({"arn", "region", "bucketRegion", "bucketDomainName", "bucketRegionalDomainName", "tagsAll"})
    replace_on = frozenset({"bucket"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Make a name up for a bucket without one: the logical name and a suffix."""
        made_up = old.get("bucket") or f"{call.name.lower()}-{call.seed.hex()[:SUFFIX]}"
        return {"bucket": made_up, "forceDestroy": False} | inputs

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the bucket and tag it."""
        name = inputs["bucket"]
        elsewhere = self.aws.region != FIRST_REGION
        place: dict[str, Any] = (
            {"CreateBucketConfiguration": {"LocationConstraint": self.aws.region}} if elsewhere else {}
        )
        what = f"creating S3 Bucket ({name})"
        self._refuse_existing(name, what=what)
        with doing(what):
            self.aws.s3.create_bucket(Bucket=name, **place)
        try:
            self._tag(name, self.merged(inputs))
            return name, self._outputs(name, state=inputs)
        except PluginError as error:
            raise PartialFailureError(str(error), id=name, outputs=inputs) from error

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the bucket up."""
        with unless(*GONE):
            return self._outputs(id, state=state)
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change the tags."""
        self._tag(id, self.merged(inputs))
        return self._outputs(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the bucket and, with forceDestroy, every version of everything in it first."""
        with unless(*GONE):
            if state.get("forceDestroy"):
                self._empty(id)
            with doing(f"deleting S3 Bucket ({id})"):
                self.aws.s3.delete_bucket(Bucket=id)

    def _refuse_existing(self, name: str, *, what: str) -> None:
        """Fail if the bucket exists: in its first region S3 says yes to making one's own bucket again."""
        with unless(*GONE, "403", "301"), doing(what):
            self.aws.s3.head_bucket(Bucket=name)
            code = "BucketAlreadyExists"
            raise AwsError(f"{what}: {code}: import it, or choose another name", code=code)

    def _outputs(self, name: str, *, state: Properties) -> Properties:
        with doing(f"reading S3 Bucket ({name})"):
            # null where S3 means its first region
            region = self.aws.s3.get_bucket_location(Bucket=name)["LocationConstraint"] or FIRST_REGION
        tags: list[dict[str, str]] = []
        with unless("NoSuchTagSet"), doing(f"reading the tags of S3 Bucket ({name})"):
            tags = self.aws.s3.get_bucket_tagging(Bucket=name)["TagSet"]
        return {
            "bucket": name,
            "forceDestroy": state.get("forceDestroy", False),
            "arn": f"arn:aws:s3:::{name}",
            "region": self.aws.region,
            "bucketRegion": region,
            "bucketDomainName": f"{name}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            **self.seen(from_aws(tags), state),
        }

    def _tag(self, name: str, tags: dict[str, str]) -> None:
        with doing(f"tagging S3 Bucket ({name})"):
            if tags:
                self.aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": to_aws(tags)})
            else:
                self.aws.s3.delete_bucket_tagging(Bucket=name)

    def _empty(self, name: str) -> None:
        with doing(f"emptying S3 Bucket ({name})"):
            for page in self.aws.s3.get_paginator("list_object_versions").paginate(Bucket=name):
                found = page.get("Versions", []) + page.get("DeleteMarkers", [])
                objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in found]
                if objects:
                    answer = self.aws.s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
                    for error in answer.get("Errors", []):
                        reason = f"{error['Key']}: {error['Code']}: {error.get('Message', '')}"
                        raise PluginError(f"emptying S3 Bucket ({name}): {reason}")
