"""The stand-in for pulumi-resource-aws: ECR, against a moto server on loopback."""

import json
from typing import Any

import grpc
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.fast.plugin_engine import UNKNOWN, Engine, RefusedError, Resource

REPOSITORY, LIFECYCLE = "aws:ecr/repository:Repository", "aws:ecr/lifecyclePolicy:LifecyclePolicy"
TOKEN, IMAGES = "aws:ecr/getAuthorizationToken:getAuthorizationToken", "aws:ecr/getImages:getImages"

WANTED = {
    "name": "team/app",
    "imageTagMutability": "IMMUTABLE",
    "imageScanningConfiguration": {"scanOnPush": True},
    "encryptionConfigurations": [{"encryptionType": "AES256"}],
    "forceDelete": False,
}
RULE = {
    "rulePriority": 1,
    "selection": {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14,
    },
    "action": {"type": "expire"},
}
MANIFEST = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []}


@pytest.fixture
def repository(aws: Engine) -> Resource:
    return aws.create(REPOSITORY, WANTED)


def test_a_repository_tells_where_it_is(repository: Resource) -> None:
    assert repository.state["registryId"] == DEFAULT_ACCOUNT_ID
    assert repository.state["repositoryUrl"] == f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com/team/app"
    assert repository.state["tagsAll"] == {"app": "ejemplo"}


def test_before_there_is_one_nobody_knows_where_it_will_be(aws: Engine) -> None:
    foretold = aws.preview(REPOSITORY, WANTED)
    assert {foretold["repositoryUrl"], foretold["registryId"], foretold["arn"]} == {UNKNOWN}


def test_a_repository_is_mended_in_place_and_replaced_for_another_name(
    aws: Engine, repository: Resource, by_hand: Any
) -> None:
    by_hand("ecr").put_image_tag_mutability(repositoryName="team/app", imageTagMutability="MUTABLE")
    by_hand("ecr").put_image_scanning_configuration(
        repositoryName="team/app", imageScanningConfiguration={"scanOnPush": False}
    )
    by_hand("ecr").tag_resource(resourceArn=repository.state["arn"], tags=[{"Key": "stray", "Value": "1"}])
    drifted = aws.refreshed(repository)
    assert aws.changes(drifted, WANTED) == {
        "imageTagMutability": "UPDATE",
        "imageScanningConfiguration.scanOnPush": "UPDATE",
        "tags": "DELETE",
    }
    aws.update(drifted, WANTED)
    assert aws.refreshed(repository) == repository
    assert aws.changes(repository, WANTED | {"name": "team/other"}) == {"name": "UPDATE_REPLACE"}
    assert aws.changes(repository, WANTED | {"forceDelete": True}) == {"forceDelete": "UPDATE"}


def test_a_repository_with_images_goes_only_when_it_is_to_go_with_them(
    aws: Engine, repository: Resource, by_hand: Any
) -> None:
    by_hand("ecr").put_image(repositoryName="team/app", imageManifest=json.dumps(MANIFEST), imageTag="v1")
    with pytest.raises(grpc.RpcError, match="RepositoryNotEmptyException"):
        aws.delete(repository)
    aws.delete(aws.update(repository, WANTED | {"forceDelete": True}))
    assert by_hand("ecr").describe_repositories()["repositories"] == []
    assert aws.refresh(repository) is None
    aws.delete(repository)


def test_an_encryption_that_is_not_implemented_is_refused_by_name(aws: Engine) -> None:
    with pytest.raises(RefusedError, match="encryptionConfigurations"):
        aws.create(REPOSITORY, WANTED | {"encryptionConfigurations": [{"encryptionType": "KMS"}]})


def test_a_lifecycle_is_the_same_in_another_spelling_and_mended_when_it_is_gone(
    aws: Engine, repository: Resource, by_hand: Any
) -> None:
    wanted = {"repository": "team/app", "policy": json.dumps({"rules": [RULE]})}
    lifecycle = aws.create(LIFECYCLE, wanted)
    spelled = json.dumps({"rules": [RULE]}, indent=4, sort_keys=True)
    assert aws.changes(lifecycle, wanted | {"policy": spelled}) == {}
    other = wanted | {"policy": json.dumps({"rules": [RULE | {"description": "other"}]})}
    assert aws.changes(lifecycle, other) == {"policy.rules[0].description": "ADD"}
    aws.update(lifecycle, other)
    assert "other" in by_hand("ecr").get_lifecycle_policy(repositoryName="team/app")["lifecyclePolicyText"]
    by_hand("ecr").delete_lifecycle_policy(repositoryName="team/app")
    assert aws.refresh(lifecycle) is None
    aws.delete(lifecycle)


def test_a_password_and_the_tags_of_a_repository_are_told(aws: Engine, repository: Resource, by_hand: Any) -> None:
    token = aws.invoke(TOKEN, {"registryId": DEFAULT_ACCOUNT_ID})
    assert (token["userName"], token["proxyEndpoint"]) == (
        "AWS",
        f"https://{DEFAULT_ACCOUNT_ID}.dkr.ecr.us-east-1.amazonaws.com",
    )
    given = by_hand("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"]
    assert token["authorizationToken"] == given
    assert token["password"]
    image = by_hand("ecr").put_image(repositoryName="team/app", imageManifest=json.dumps(MANIFEST), imageTag="v1")[
        "image"
    ]
    asked = {"repositoryName": "team/app", "registryId": DEFAULT_ACCOUNT_ID}
    assert aws.invoke(IMAGES, asked)["imageIds"] == [{"imageDigest": image["imageId"]["imageDigest"], "imageTag": "v1"}]
    with pytest.raises(grpc.RpcError, match="RepositoryNotFoundException"):
        aws.invoke(IMAGES, {"repositoryName": "team/none"})
