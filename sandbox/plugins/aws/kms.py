"""KMS keys and their aliases."""

from typing import ClassVar

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.aws.thing import Seen, Thing, given
from sandbox.plugins.resource import Call, PluginError, ResourceType
from sandbox.plugins.values import Properties

_GONE = ("NotFoundException",)


class Key(Thing):
    """A symmetric key; its id is the key's."""

    token = "aws:kms/key:Key"
    title, gone = "KMS Key", (*_GONE, "KMSInvalidStateException")
    inputs: ClassVar = {"description": str, "enableKeyRotation": bool, "deletionWindowInDays": int, "tags": dict}
    computed = frozenset({"arn", "keyId", "tagsAll"})
    filled_in = frozenset({"description"})

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        spelled = [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
        made = self.aws.kms.create_key(**given(inputs, description="Description"), Tags=spelled)
        return str(made["KeyMetadata"]["KeyId"])

    def finish(self, id: str, inputs: Properties, *, call: Call) -> None:
        """Switch the rotation on."""
        self._rotate(id, on=bool(inputs.get("enableKeyRotation")), before=False)

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Change what it says of itself and whether it rotates."""
        if inputs.get("description") != state.get("description"):
            self.aws.kms.update_key_description(KeyId=id, Description=inputs.get("description") or "")
        self._rotate(id, on=bool(inputs.get("enableKeyRotation")), before=bool(state.get("enableKeyRotation")))

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up; one that waits for its deletion is gone to Pulumi, as with the official provider."""
        key = self.aws.kms.describe_key(KeyId=id)["KeyMetadata"]
        if key["KeyState"] == "PendingDeletion":
            return None
        tags = self.aws.kms.list_resource_tags(KeyId=id).get("Tags", [])
        live = {
            "description": key.get("Description", ""),
            "enableKeyRotation": self.aws.kms.get_key_rotation_status(KeyId=id)["KeyRotationEnabled"],
            "deletionWindowInDays": state.get("deletionWindowInDays"),
            "keyId": id,
            "arn": key["Arn"],
        }
        return live, {each["TagKey"]: each["TagValue"] for each in tags}

    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags."""
        if remove:
            self.aws.kms.untag_resource(KeyId=id, TagKeys=remove)
        if add:
            self.aws.kms.tag_resource(KeyId=id, Tags=[{"TagKey": key, "TagValue": add[key]} for key in add])

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Schedule its deletion: nothing deletes a key at once."""
        days = {"PendingWindowInDays": state["deletionWindowInDays"]} if state.get("deletionWindowInDays") else {}
        self.aws.kms.schedule_key_deletion(KeyId=id, **days)

    def _rotate(self, id: str, *, on: bool, before: bool) -> None:
        if on and not before:
            self.aws.kms.enable_key_rotation(KeyId=id)
        elif before and not on:
            self.aws.kms.disable_key_rotation(KeyId=id)


class Alias(ResourceType):
    """A name of a key; its id is the name."""

    token = "aws:kms/alias:Alias"
    inputs: ClassVar = {"name": str, "targetKeyId": str}
    required = frozenset(inputs)
    computed = frozenset({"arn", "targetKeyArn"})
    replace_on = frozenset({"name"})

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.kms = aws.kms

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Make it."""
        with doing(f"creating KMS Alias ({inputs['name']})"):
            self.kms.create_alias(AliasName=inputs["name"], TargetKeyId=inputs["targetKeyId"])
        return inputs["name"], self._written(inputs["name"])

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look it up: there is no other way than the list of all."""
        with doing(f"reading KMS Alias ({id})"):
            pages = self.kms.get_paginator("list_aliases").paginate()
            found = [each for page in pages for each in page["Aliases"] if each["AliasName"] == id]
        if not found:
            return None
        [alias] = found
        key = alias["TargetKeyId"]
        with unless(*_GONE), doing(f"reading KMS Alias ({id})"):
            arn = self.kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
            return {"name": id, "targetKeyId": key, "arn": alias["AliasArn"], "targetKeyArn": arn}
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Let it name another key."""
        with doing(f"updating KMS Alias ({id})"):
            self.kms.update_alias(AliasName=id, TargetKeyId=inputs["targetKeyId"])
        return self._written(id)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        with unless(*_GONE), doing(f"deleting KMS Alias ({id})"):
            self.kms.delete_alias(AliasName=id)

    def _written(self, name: str) -> Properties:
        outputs = self.read(name, state={}, call=Call())
        if outputs is None:
            raise PluginError(f"KMS Alias ({name}) was written and is not there, run it again")
        return outputs
