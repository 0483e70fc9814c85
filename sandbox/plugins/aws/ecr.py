"""ECR: repositories, what they forget by themselves, and the functions that tell a password and what is in them."""

import json
from base64 import b64decode
from typing import Any, ClassVar

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, Function, InvalidInputError, PartialFailureError, PluginError, ResourceType
from sandbox.plugins.values import Properties, adjusted, is_known

GONE = ("RepositoryNotFoundException", "LifecyclePolicyNotFoundException")


class Repository(Tagged):
    """A repository; its id is its name."""

    token = "aws:ecr/repository:Repository"
    inputs: ClassVar = {
        "name": str,
        "imageTagMutability": str,
        "imageScanningConfiguration": {"scanOnPush": bool},
        "encryptionConfigurations": [{"encryptionType": str}],
        "forceDelete": bool,
        "tags": dict,
    }
    required = frozenset({"name"})
    computed = frozenset({"arn", "registryId", "repositoryUrl", "tagsAll"})
    replace_on = frozenset({"name", "encryptionConfigurations"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the provider's defaults; AES256 is the only encryption that this stand-in makes."""
        for each in inputs.get("encryptionConfigurations") or []:
            if each.get("encryptionType") != "AES256":
                raise InvalidInputError("encryptionConfigurations", "this stand-in knows the type AES256 only")
        return {"imageTagMutability": "MUTABLE"} | inputs

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the repository with its tags."""
        name = inputs["name"]
        configurations = inputs.get("encryptionConfigurations") or [{"encryptionType": "AES256"}]
        with doing(f"creating ECR Repository ({name})"):
            self.aws.ecr.create_repository(
                repositoryName=name,
                imageTagMutability=inputs["imageTagMutability"],
                imageScanningConfiguration=_scanning(inputs),
                encryptionConfiguration=configurations[0],
                tags=to_aws(self.merged(inputs)),
            )
        try:
            return name, self._outputs(name, state=inputs)
        except PluginError as error:
            raise PartialFailureError(str(error), id=name, outputs=inputs) from error

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the repository up."""
        with unless(*GONE):
            return self._outputs(id, state=state)
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change what of it can change."""
        wanted = self.merged(inputs)
        gone = [key for key in state.get("tagsAll") or {} if key not in wanted]
        with doing(f"updating ECR Repository ({id})"):
            if inputs["imageTagMutability"] != state.get("imageTagMutability"):
                self.aws.ecr.put_image_tag_mutability(
                    repositoryName=id, imageTagMutability=inputs["imageTagMutability"]
                )
            if _scanning(inputs) != _scanning(state):
                self.aws.ecr.put_image_scanning_configuration(
                    repositoryName=id, imageScanningConfiguration=_scanning(inputs)
                )
            if gone:
                self.aws.ecr.untag_resource(resourceArn=state["arn"], tagKeys=gone)
            if wanted != state.get("tagsAll"):
                self.aws.ecr.tag_resource(resourceArn=state["arn"], tags=to_aws(wanted))
        return self._outputs(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the repository; one with images in it only with forceDelete."""
        with unless(*GONE), doing(f"deleting ECR Repository ({id})"):
            self.aws.ecr.delete_repository(repositoryName=id, force=bool(state.get("forceDelete")))

    def _outputs(self, name: str, *, state: Properties) -> Properties:
        with doing(f"reading ECR Repository ({name})"):
            (found,) = self.aws.ecr.describe_repositories(repositoryNames=[name])["repositories"]
            tags = self.aws.ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
        return {
            "name": name,
            "imageTagMutability": found["imageTagMutability"],
            "imageScanningConfiguration": found["imageScanningConfiguration"],
            "encryptionConfigurations": [{"encryptionType": found["encryptionConfiguration"]["encryptionType"]}],
            "forceDelete": state.get("forceDelete", False),
            "arn": found["repositoryArn"],
            "registryId": found["registryId"],
            "repositoryUrl": found["repositoryUri"],
            **self.seen(from_aws(tags), state),
        }


class LifecyclePolicy(ResourceType):
    """What a repository forgets by itself; its id is the repository's name."""

    token = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    inputs: ClassVar = {"repository": str, "policy": str}
    required = frozenset({"repository", "policy"})
    computed = frozenset({"registryId"})
    replace_on = frozenset({"repository"})

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.aws = aws

    def comparable(self, inputs: Properties) -> Properties:
        """Compare the policy as JSON: ECR gives it back in a spelling of its own."""
        return adjusted(inputs, policy=lambda text: json.loads(text) if is_known(text) else text)

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Give the repository the policy."""
        return inputs["repository"], self._put(inputs)

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the policy up."""
        with unless(*GONE), doing(f"reading ECR Lifecycle Policy ({id})"):
            return _policy(self.aws.ecr.get_lifecycle_policy(repositoryName=id))
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Give the repository another policy."""
        return self._put(inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Take the policy away."""
        with unless(*GONE), doing(f"deleting ECR Lifecycle Policy ({id})"):
            self.aws.ecr.delete_lifecycle_policy(repositoryName=id)

    def _put(self, inputs: Properties) -> Properties:
        name = inputs["repository"]
        with doing(f"creating ECR Lifecycle Policy ({name})"):
            return _policy(self.aws.ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=inputs["policy"]))


def get_authorization_token(aws: Aws) -> Function:
    """Make the function that has AWS give a password for the registry."""

    def call(arguments: Properties) -> Properties:
        registry = arguments.get("registryId")
        with doing("reading ECR Authorization Token"):
            asked = {"registryIds": [registry]} if registry else {}
            (given,) = aws.ecr.get_authorization_token(**asked)["authorizationData"]
        user, _, password = b64decode(given["authorizationToken"]).decode().partition(":")
        return {
            "authorizationToken": given["authorizationToken"],
            "expiresAt": given["expiresAt"].isoformat(),
            "id": aws.region,
            "password": password,
            "proxyEndpoint": given["proxyEndpoint"],
            "region": aws.region,
            "userName": user,
        } | ({"registryId": registry} if registry else {})

    return Function(
        token="aws:ecr/getAuthorizationToken:getAuthorizationToken",
        inputs={"registryId": str},
        outputs=frozenset({"authorizationToken", "expiresAt", "id", "password", "proxyEndpoint", "region", "userName"}),
        call=call,
    )


def get_images(aws: Aws) -> Function:
    """Make the function that lists the images of a repository."""

    def call(arguments: Properties) -> Properties:
        name = arguments["repositoryName"]
        asked = {"registryId": arguments["registryId"]} if arguments.get("registryId") else {}
        with doing(f"reading ECR Images ({name})"):
            pages = aws.ecr.get_paginator("list_images").paginate(repositoryName=name, **asked)
            ids = [each for page in pages for each in page["imageIds"]]
        return {"imageIds": ids, "region": aws.region, "repositoryName": name}

    return Function(
        token="aws:ecr/getImages:getImages",
        inputs={"registryId": str, "repositoryName": str},
        outputs=frozenset({"imageIds", "region", "repositoryName"}),
        call=call,
    )


def _scanning(properties: Properties) -> dict[str, bool]:
    given: dict[str, Any] = properties.get("imageScanningConfiguration") or {}
    return {"scanOnPush": bool(given.get("scanOnPush"))}


def _policy(found: Properties) -> Properties:
    return {
        "repository": found["repositoryName"],
        "policy": found["lifecyclePolicyText"],
        "registryId": found["registryId"],
    }
