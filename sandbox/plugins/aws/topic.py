"""SNS topics."""

from typing import ClassVar

from sandbox.plugins.aws.client import doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, PartialFailureError, PluginError
from sandbox.plugins.values import Properties

SUFFIX = 7
"""Hexadecimal digits after a generated name, as the official provider."""
GONE = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")
"""SNS's codes for a topic that is not there: its tags have another one than it has itself."""


class Topic(Tagged):
    """A standard topic; its id is its ARN."""

    token = "aws:sns/topic:Topic"
    inputs: ClassVar = {"name": str, "displayName": str, "tags": dict}
    computed = frozenset({"arn", "owner", "tagsAll"})
    replace_on = frozenset({"name"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Make a name up for a topic without one: the logical name and a suffix."""
        return {"name": old.get("name") or f"{call.name}-{call.seed.hex()[:SUFFIX]}"} | inputs

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make the topic with its tags; as SNS does it, one of the same name and tags is taken over."""
        tags = self.merged(inputs)
        with doing(f"creating SNS Topic ({inputs['name']})"):
            made = self.aws.sns.create_topic(Name=inputs["name"], **({"Tags": to_aws(tags)} if tags else {}))
        arn = str(made["TopicArn"])
        try:
            self._show_as(arn, inputs.get("displayName") or "")
            return arn, self._outputs(arn, state=inputs)
        except PluginError as error:
            raise PartialFailureError(str(error), id=arn, outputs=inputs | {"arn": arn}) from error

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the topic up."""
        with unless(*GONE):
            return self._outputs(id, state=state)
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change the name that is shown and the tags."""
        self._show_as(id, inputs.get("displayName") or "")
        wanted = self.merged(inputs)
        gone = [key for key in state.get("tagsAll") or {} if key not in wanted]
        with doing(f"tagging SNS Topic ({id})"):
            if gone:
                self.aws.sns.untag_resource(ResourceArn=id, TagKeys=gone)
            if wanted:
                self.aws.sns.tag_resource(ResourceArn=id, Tags=to_aws(wanted))
        return self._outputs(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the topic, and with it its subscriptions."""
        with unless(*GONE), doing(f"deleting SNS Topic ({id})"):
            self.aws.sns.delete_topic(TopicArn=id)

    def _outputs(self, arn: str, *, state: Properties) -> Properties:
        with doing(f"reading SNS Topic ({arn})"):
            found = self.aws.sns.get_topic_attributes(TopicArn=arn)["Attributes"]
            tags = self.aws.sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
        return {
            "name": arn.rpartition(":")[2],
            "displayName": found.get("DisplayName") or "",
            "arn": arn,
            "owner": found.get("Owner", ""),
            **self.seen(from_aws(tags), state),
        }

    def _show_as(self, arn: str, name: str) -> None:
        with doing(f"updating SNS Topic ({arn})"):
            self.aws.sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue=name)
