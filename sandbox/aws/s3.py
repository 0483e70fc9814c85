"""S3: tags of a bucket at its creation."""

from typing import Any

import xmltodict
from moto.s3.responses import S3Response

from sandbox.aws.patch import patch


def buckets_have_their_first_tags() -> None:
    """Apply the tags in CreateBucket's configuration to the new bucket: moto reads only the location from it.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucketConfiguration.html
    """
    put = S3Response._bucket_response_put

    def bucket_response_put(self: S3Response, request: Any, bucket_name: str, querystring: dict[str, Any]) -> Any:
        is_new = bucket_name not in self.backend.buckets
        answer = put(self, request, bucket_name, querystring)
        if is_new and (tags := _tags(self.body)):
            self.backend.put_bucket_tagging(bucket_name, tags)
        return answer

    patch(S3Response, "_bucket_response_put", bucket_response_put)


def _tags(body: bytes) -> dict[str, str]:
    """Return the tags in the body of CreateBucket, which may be empty."""
    configuration = xmltodict.parse(body, force_list=("Tag",))["CreateBucketConfiguration"] if body else None
    listed = ((configuration or {}).get("Tags") or {}).get("Tag", [])
    return {tag["Key"]: tag["Value"] or "" for tag in listed}
