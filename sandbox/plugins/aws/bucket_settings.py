"""What is set on a bucket beside the bucket: each one document that is put, got and deleted."""

from abc import abstractmethod
from typing import ClassVar

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.resource import Call, ResourceType
from sandbox.plugins.values import Properties


class BucketSetting(ResourceType):
    """One document of a bucket; its id is the bucket's name."""

    required = frozenset({"bucket"})
    replace_on = frozenset({"bucket"})
    title: ClassVar[str]
    """What errors call it."""
    missing: ClassVar[str]
    """S3's error code when the bucket has none."""

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.s3 = aws.s3

    @abstractmethod
    def put(self, inputs: Properties) -> None:
        """Write the document."""

    @abstractmethod
    def get(self, bucket: str) -> Properties | None:
        """Read the document as outputs, or None if there is none."""

    @abstractmethod
    def remove(self, bucket: str, state: Properties) -> None:
        """Take the document away."""

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Write the document."""
        with doing(f"creating S3 {self.title} ({inputs['bucket']})"):
            self.put(inputs)
        return inputs["bucket"], inputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Read the document."""
        with unless("NoSuchBucket", self.missing), doing(f"reading S3 {self.title} ({id})"):
            live = self.get(id)
            return None if live is None else {"bucket": id} | live
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Write the document anew."""
        with doing(f"updating S3 {self.title} ({id})"):
            self.put(inputs)
        return inputs

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Take the document away."""
        with unless("NoSuchBucket", self.missing), doing(f"deleting S3 {self.title} ({id})"):
            self.remove(id, state)


class BucketVersioning(BucketSetting):
    """Whether the bucket keeps old versions."""

    token = "aws:s3/bucketVersioning:BucketVersioning"
    inputs: ClassVar = {"bucket": str, "versioningConfiguration": {"status": str}}
    required = frozenset({"bucket", "versioningConfiguration"})
    title, missing = "Bucket Versioning", ""

    def put(self, inputs: Properties) -> None:
        """Write it; a bucket that never had it is Disabled already, which S3 does not take as a value."""
        status = inputs["versioningConfiguration"]["status"]
        if status != "Disabled":
            self.s3.put_bucket_versioning(Bucket=inputs["bucket"], VersioningConfiguration={"Status": status})

    def get(self, bucket: str) -> Properties | None:
        """Read it; a bucket that never had it says nothing."""
        status = self.s3.get_bucket_versioning(Bucket=bucket).get("Status", "Disabled")
        return {"versioningConfiguration": {"status": status}}

    def remove(self, bucket: str, state: Properties) -> None:
        """Suspend it, the nearest that S3 has to taking it away."""
        if state["versioningConfiguration"]["status"] != "Disabled":
            self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})


class BucketPublicAccessBlock(BucketSetting):
    """What public access the bucket refuses."""

    switches: ClassVar = {
        "blockPublicAcls": "BlockPublicAcls",
        "blockPublicPolicy": "BlockPublicPolicy",
        "ignorePublicAcls": "IgnorePublicAcls",
        "restrictPublicBuckets": "RestrictPublicBuckets",
    }
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    inputs: ClassVar = {"bucket": str, **dict.fromkeys(switches, bool)}
    title, missing = "Bucket Public Access Block", "NoSuchPublicAccessBlockConfiguration"

    def put(self, inputs: Properties) -> None:
        """Write the four switches; those not given are off."""
        wanted = {theirs: inputs.get(ours) or False for ours, theirs in self.switches.items()}
        self.s3.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=wanted)

    def get(self, bucket: str) -> Properties | None:
        """Read the four switches."""
        found = self.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        return {ours: found.get(theirs, False) for ours, theirs in self.switches.items()}

    def remove(self, bucket: str, state: Properties) -> None:
        """Take the block away."""
        self.s3.delete_public_access_block(Bucket=bucket)


class BucketOwnershipControls(BucketSetting):
    """Who owns what others put into the bucket."""

    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    inputs: ClassVar = {"bucket": str, "rule": {"objectOwnership": str}}
    required = frozenset({"bucket", "rule"})
    title, missing = "Bucket Ownership Controls", "OwnershipControlsNotFoundError"

    def put(self, inputs: Properties) -> None:
        """Write the rule."""
        rules = [{"ObjectOwnership": inputs["rule"]["objectOwnership"]}]
        self.s3.put_bucket_ownership_controls(Bucket=inputs["bucket"], OwnershipControls={"Rules": rules})

    def get(self, bucket: str) -> Properties | None:
        """Read the rule."""
        rules = self.s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        return {"rule": {"objectOwnership": rules[0]["ObjectOwnership"]}}

    def remove(self, bucket: str, state: Properties) -> None:
        """Take the rule away."""
        self.s3.delete_bucket_ownership_controls(Bucket=bucket)
