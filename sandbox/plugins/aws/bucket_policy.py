"""The policy of a bucket."""

import json
from typing import Any, ClassVar

from sandbox.plugins.aws.bucket_settings import BucketSetting
from sandbox.plugins.resource import Call
from sandbox.plugins.values import Properties, adjusted


class BucketPolicy(BucketSetting):
    """Who may do what with the bucket."""

    token = "aws:s3/bucketPolicy:BucketPolicy"
    inputs: ClassVar = {"bucket": str, "policy": object}
    required = frozenset({"bucket", "policy"})
    title, missing = "Bucket Policy", "NoSuchBucketPolicy"

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Spell a policy given as an object as the JSON text that AWS keeps."""
        policy = inputs["policy"]
        return inputs | {"policy": json.dumps(policy)} if isinstance(policy, dict) else inputs

    def comparable(self, inputs: Properties) -> Properties:
        """Spell policies so that two that say the same are equal."""
        return adjusted(inputs, policy=meaning)

    def put(self, inputs: Properties) -> None:
        """Write the policy."""
        self.s3.put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])

    def get(self, bucket: str) -> Properties | None:
        """Read the policy."""
        return {"policy": self.s3.get_bucket_policy(Bucket=bucket)["Policy"]}

    def remove(self, bucket: str, state: Properties) -> None:
        """Take the policy away."""
        self.s3.delete_bucket_policy(Bucket=bucket)


def meaning(policy: str) -> str:
    """Spell a policy as all that say the same: lists have no order, and a list of one is the one."""
    try:
        return json.dumps(_plain(json.loads(policy)), sort_keys=True)
    except json.JSONDecodeError:
        return policy  # S3 refuses it with a better message


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        items = sorted(map(_plain, value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    return value
