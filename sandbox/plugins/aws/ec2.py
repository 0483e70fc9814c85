"""What the types of EC2 share: tags that come with the object, by its id."""

from typing import Any, ClassVar

from sandbox.plugins.aws.tags import from_aws, to_aws
from sandbox.plugins.aws.thing import Seen, Thing
from sandbox.plugins.values import Properties


class Ec2Thing(Thing):
    """An object of EC2."""

    kind: ClassVar[str]
    """EC2's word for it among the kinds of resources that have tags."""

    @property
    def ec2(self) -> Any:
        """The service's client."""
        return self.aws.ec2

    def tagged(self, tags: dict[str, str]) -> dict[str, Any]:
        """Give the parameters with which it is born with tags."""
        return {"TagSpecifications": [{"ResourceType": self.kind, "Tags": to_aws(tags)}]} if tags else {}

    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags."""
        if remove:
            self.ec2.delete_tags(Resources=[id], Tags=[{"Key": key} for key in remove])
        if add:
            self.ec2.create_tags(Resources=[id], Tags=to_aws(add))

    def arn(self, id: str, owner: str) -> str:
        """Give its ARN; `owner` is the account."""
        return f"arn:aws:ec2:{self.aws.region}:{owner}:{self.kind}/{id}"


def seen(outputs: Properties, live: dict[str, Any]) -> Seen:
    """Give the outputs, and the tags that the answer of EC2 has."""
    return outputs, from_aws(live.get("Tags", []))
