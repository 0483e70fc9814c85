"""Log groups of CloudWatch."""

from typing import ClassVar

from sandbox.plugins.aws.thing import Seen, Thing
from sandbox.plugins.resource import Call
from sandbox.plugins.values import Properties


class LogGroup(Thing):
    """A log group; its id is its name."""

    token = "aws:cloudwatch/logGroup:LogGroup"
    title, gone, named = "CloudWatch Logs Log Group", ("ResourceNotFoundException",), "name"
    inputs: ClassVar = {"name": str, "retentionInDays": int, "tags": dict}
    computed = frozenset({"arn", "tagsAll"})
    replace_on = frozenset({"name"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the name, and that what is written stays for ever, which is 0 days."""
        return {"retentionInDays": 0} | super().check(inputs, old=old, call=call)

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        self.aws.logs.create_log_group(logGroupName=inputs["name"], **({"tags": tags} if tags else {}))
        return str(inputs["name"])

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Say how long it keeps what is written."""
        self.change(id, state={"retentionInDays": 0}, inputs=inputs, call=call)

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Change how long it keeps what is written."""
        days = inputs["retentionInDays"]
        if days and days != state.get("retentionInDays"):
            self.aws.logs.put_retention_policy(logGroupName=id, retentionInDays=days)
        elif not days and state.get("retentionInDays"):
            self.aws.logs.delete_retention_policy(logGroupName=id)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up among those whose names begin like it."""
        pages = self.aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=id)
        found = [each for page in pages for each in page["logGroups"] if each["logGroupName"] == id]
        if not found:
            return None
        arn = found[0]["arn"].removesuffix(":*")
        tags = self.aws.logs.list_tags_for_resource(resourceArn=arn)["tags"]
        return {"name": id, "retentionInDays": found[0].get("retentionInDays", 0), "arn": arn}, dict(tags)

    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags."""
        if remove:
            self.aws.logs.untag_resource(resourceArn=state["arn"], tagKeys=remove)
        if add:
            self.aws.logs.tag_resource(resourceArn=state["arn"], tags=add)

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it with all that was written."""
        self.aws.logs.delete_log_group(logGroupName=id)
