"""IAM roles and the policies on them."""

import json
from typing import ClassVar
from urllib.parse import unquote

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.aws.tags import from_aws, to_aws
from sandbox.plugins.aws.thing import Seen, Thing, given
from sandbox.plugins.resource import Call, ResourceType
from sandbox.plugins.values import Properties, adjusted

_NAMES = {"path": "Path", "description": "Description", "maxSessionDuration": "MaxSessionDuration"}
_GONE = ("NoSuchEntity",)


class Role(Thing):
    """A role; its id is its name."""

    token = "aws:iam/role:Role"
    title, gone, in_use, named = "IAM Role", _GONE, ("DeleteConflict",), "name"
    inputs: ClassVar = {
        "name": str,
        "assumeRolePolicy": str,
        "path": str,
        "description": str,
        "maxSessionDuration": int,
        "tags": dict,
    }
    required = frozenset({"assumeRolePolicy"})
    computed = frozenset({"arn", "uniqueId", "createDate", "tagsAll"})
    replace_on = frozenset({"name", "path"})

    def check(self, inputs: Properties, *, old: Properties, call: Call) -> Properties:
        """Fill in the name and IAM's defaults."""
        defaults = {"path": "/", "maxSessionDuration": 3600}
        return defaults | super().check(inputs, old=old, call=call)

    def comparable(self, inputs: Properties) -> Properties:
        """Compare what the policy says and not how it is written."""
        return adjusted(inputs, assumeRolePolicy=json.loads)

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it."""
        self.aws.iam.create_role(
            RoleName=inputs["name"],
            AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
            **given(inputs, **_NAMES),
            **({"Tags": to_aws(tags)} if tags else {}),
        )
        return str(inputs["name"])

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Change who may take it on, and what it says of itself."""
        self.aws.iam.update_assume_role_policy(RoleName=id, PolicyDocument=inputs["assumeRolePolicy"])
        self.aws.iam.update_role(
            RoleName=id,
            Description=inputs.get("description") or "",
            MaxSessionDuration=inputs["maxSessionDuration"],
        )

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up."""
        role = self.aws.iam.get_role(RoleName=id)["Role"]
        trust = role["AssumeRolePolicyDocument"]
        live = {
            "name": role["RoleName"],
            "assumeRolePolicy": unquote(trust) if isinstance(trust, str) else json.dumps(trust),
            **{ours: role[theirs] for ours, theirs in _NAMES.items() if role.get(theirs)},
            "arn": role["Arn"],
            "uniqueId": role["RoleId"],
            "createDate": role["CreateDate"].isoformat(),
        }
        return live, from_aws(role.get("Tags", []))

    def tag(self, id: str, *, state: Properties, add: dict[str, str], remove: list[str]) -> None:
        """Change its tags."""
        if remove:
            self.aws.iam.untag_role(RoleName=id, TagKeys=remove)
        if add:
            self.aws.iam.tag_role(RoleName=id, Tags=to_aws(add))

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        self.aws.iam.delete_role(RoleName=id)


class RolePolicyAttachment(ResourceType):
    """That a role has a managed policy."""

    token = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    inputs: ClassVar = {"role": str, "policyArn": str}
    required = frozenset(inputs)
    replace_on = required

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.iam = aws.iam

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Attach it."""
        with doing(f"attaching IAM Policy ({inputs['policyArn']}) to IAM Role ({inputs['role']})"):
            self.iam.attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}-{call.name}", inputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look it up among the policies of the role."""
        with unless(*_GONE), doing(f"reading IAM Role Policy Attachment ({id})"):
            pages = self.iam.get_paginator("list_attached_role_policies").paginate(RoleName=state["role"])
            attached = {each["PolicyArn"] for page in pages for each in page["AttachedPolicies"]}
            return state if state["policyArn"] in attached else None
        return None

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Detach it."""
        with unless(*_GONE), doing(f"detaching IAM Policy ({state['policyArn']}) from IAM Role ({state['role']})"):
            self.iam.detach_role_policy(RoleName=state["role"], PolicyArn=state["policyArn"])
