"""The search for a resource by its mark, on an emulated AWS."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import requests

from infra import ownership
from infra.guards import marked_in_aws
from infra.guards.marked_in_aws import Search
from tests.aws_server import aws_server

MARK = {"stack": "shop/dev", "domain": "example.com", "name": "nodes"}


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a client of IAM in an empty account."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with aws_server() as endpoint:
        yield boto3.client("iam", region_name="us-east-1", endpoint_url=endpoint)
        requests.post(f"{endpoint}/moto-api/reset", timeout=10)


def test_a_role_is_found_although_another_one_is_deleted_during_the_search(iam: Any) -> None:
    names = {"nodes-1", "nodes-2"}
    tags = [{"Key": key, "Value": value} for key, value in ownership.mark(**MARK).items()]
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}", Tags=tags)
    deleted: list[str] = []

    def delete_it(params: dict[str, Any], **_: object) -> None:
        if not deleted:
            deleted.append(params["body"]["RoleName"])
            iam.delete_role(RoleName=deleted[0])

    iam.meta.events.register("before-call.iam.ListRoleTags", delete_it)
    found = marked_in_aws.find(Search(**MARK, type="aws:iam/role:Role", inputs={}, client=lambda _: iam))
    assert len(deleted) == 1
    assert set(found) == names - set(deleted)
