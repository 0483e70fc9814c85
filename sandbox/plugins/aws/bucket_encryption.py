"""How a bucket encrypts."""

from typing import Any, ClassVar

from sandbox.plugins.aws.bucket_settings import BucketSetting
from sandbox.plugins.values import Properties, adjusted


class BucketEncryption(BucketSetting):
    """How the bucket encrypts what is put into it."""

    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    inputs: ClassVar = {
        "bucket": str,
        "rules": [
            {
                "applyServerSideEncryptionByDefault": {"sseAlgorithm": str, "kmsMasterKeyId": str},
                "bucketKeyEnabled": bool,
            }
        ],
    }
    required = frozenset({"bucket", "rules"})
    title, missing = "Bucket Server-side Encryption", "ServerSideEncryptionConfigurationNotFoundError"

    def comparable(self, inputs: Properties) -> Properties:
        """Leave out of the rules what S3 fills in."""
        return adjusted(inputs, rules=lambda rules: [_bare(each) for each in rules])

    def put(self, inputs: Properties) -> None:
        """Write the rules."""
        rules = [_rule_to_aws(each) for each in inputs["rules"]]
        self.s3.put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})

    def get(self, bucket: str) -> Properties | None:
        """Read the rules."""
        found = self.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        return {"rules": [_rule_from_aws(each) for each in found]}

    def remove(self, bucket: str, state: Properties) -> None:
        """Take the rules away; S3 then encrypts by its own default."""
        self.s3.delete_bucket_encryption(Bucket=bucket)


def _bare(rule: Any) -> Any:
    """Leave out of a rule what is off or empty."""
    if isinstance(rule, dict):
        return {key: _bare(item) for key, item in rule.items() if item not in (None, "", False, [])}
    return rule


def _rule_to_aws(rule: Properties) -> dict[str, Any]:
    default = rule.get("applyServerSideEncryptionByDefault") or {}
    key = {"KMSMasterKeyID": default["kmsMasterKeyId"]} if default.get("kmsMasterKeyId") else {}
    encrypt = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": default["sseAlgorithm"], **key}}
    return (encrypt if default else {}) | {"BucketKeyEnabled": rule.get("bucketKeyEnabled") or False}


def _rule_from_aws(rule: dict[str, Any]) -> Properties:
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    key = {"kmsMasterKeyId": default["KMSMasterKeyID"]} if default.get("KMSMasterKeyID") else {}
    encrypt = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": default.get("SSEAlgorithm"), **key}}
    return encrypt | {"bucketKeyEnabled": rule.get("BucketKeyEnabled", False)}
