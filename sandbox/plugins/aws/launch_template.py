"""Launch templates: what an auto scaling group makes machines from, in versions."""

from typing import Any, ClassVar

from sandbox.plugins.aws.ec2 import Ec2Thing
from sandbox.plugins.aws.tags import from_aws, to_aws
from sandbox.plugins.aws.thing import Seen, given
from sandbox.plugins.resource import Call
from sandbox.plugins.values import UNKNOWN, Properties

_METADATA = {
    "httpEndpoint": "HttpEndpoint",
    "httpTokens": "HttpTokens",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
}
_EBS = {
    "volumeType": "VolumeType",
    "volumeSize": "VolumeSize",
    "encrypted": "Encrypted",
    "deleteOnTermination": "DeleteOnTermination",
}
_SWITCHES = ("encrypted", "deleteOnTermination")
"""Texts to Pulumi, which can say that they are not given; true or false to EC2."""
_DATA = ("metadataOptions", "blockDeviceMappings", "tagSpecifications")


class LaunchTemplate(Ec2Thing):
    """A launch template whose newest version is the default one if it is asked to."""

    token = "aws:ec2/launchTemplate:LaunchTemplate"
    title, kind = "EC2 Launch Template", "launch-template"
    gone = (
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateName.NotFoundException",
    )
    named = "name"
    inputs: ClassVar = {
        "name": str,
        "updateDefaultVersion": bool,
        "metadataOptions": dict.fromkeys(_METADATA, object),
        "blockDeviceMappings": [{"deviceName": str, "ebs": {**dict.fromkeys(_EBS, str), "volumeSize": int}}],
        "tagSpecifications": [{"resourceType": str, "tags": dict}],
        "tags": dict,
    }
    computed = frozenset({"arn", "latestVersion", "defaultVersion", "tagsAll"})
    replace_on = frozenset({"name"})

    def preview(self, inputs: Properties, *, state: Properties | None) -> Properties:
        """Foretell that a change of what machines are made from makes a new version."""
        foretold = super().preview(inputs, state=state)
        if state is not None and any(inputs.get(each) != state.get(each) for each in _DATA):
            foretold |= {"latestVersion": UNKNOWN, "defaultVersion": UNKNOWN}
        return foretold

    def make(self, inputs: Properties, *, tags: dict[str, str], call: Call) -> str:
        """Make it with its first version."""
        made = self.ec2.create_launch_template(
            LaunchTemplateName=inputs["name"], LaunchTemplateData=_data(inputs), **self.tagged(tags)
        )
        return str(made["LaunchTemplate"]["LaunchTemplateId"])

    def change(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> None:
        """Make another version when what machines are made from is another."""
        if all(inputs.get(each) == state.get(each) for each in _DATA):
            return
        made = self.ec2.create_launch_template_version(LaunchTemplateId=id, LaunchTemplateData=_data(inputs))
        if inputs.get("updateDefaultVersion"):
            number = str(made["LaunchTemplateVersion"]["VersionNumber"])
            self.ec2.modify_launch_template(LaunchTemplateId=id, DefaultVersion=number)

    def look(self, id: str, *, state: Properties) -> Seen | None:
        """Look it up in its newest version."""
        found = self.ec2.describe_launch_templates(LaunchTemplateIds=[id])["LaunchTemplates"]
        if not found:
            return None
        [template] = found
        [version] = self.ec2.describe_launch_template_versions(LaunchTemplateId=id, Versions=["$Latest"])[
            "LaunchTemplateVersions"
        ]
        # Asked for by themselves: moto 5.2.5 describes a template with the tags that it was made with.
        tags = self.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [id]}])["Tags"]
        return (
            {
                "name": template["LaunchTemplateName"],
                **_read(version["LaunchTemplateData"]),
                "updateDefaultVersion": state.get("updateDefaultVersion", False),
                "latestVersion": template["LatestVersionNumber"],
                "defaultVersion": template["DefaultVersionNumber"],
                "arn": self.arn(id, ""),
            },
            from_aws(tags),
        )

    def remove(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete it."""
        self.ec2.delete_launch_template(LaunchTemplateId=id)


def _data(inputs: Properties) -> dict[str, Any]:
    data: dict[str, Any] = {}
    if options := inputs.get("metadataOptions"):
        data["MetadataOptions"] = given(options, **_METADATA)
    if devices := inputs.get("blockDeviceMappings"):
        data["BlockDeviceMappings"] = [
            {"DeviceName": each["deviceName"], "Ebs": given(_switched(each["ebs"]), **_EBS)} for each in devices
        ]
    if specifications := inputs.get("tagSpecifications"):
        data["TagSpecifications"] = [
            {"ResourceType": each["resourceType"], "Tags": to_aws(each["tags"])} for each in specifications
        ]
    return data


def _switched(ebs: Properties) -> Properties:
    return {name: value == "true" if name in _SWITCHES else value for name, value in ebs.items()}


def _read(data: dict[str, Any]) -> Properties:
    options = data.get("MetadataOptions", {})
    devices = data.get("BlockDeviceMappings", [])
    return {
        "metadataOptions": {ours: options[theirs] for ours, theirs in _METADATA.items() if theirs in options},
        "blockDeviceMappings": [{"deviceName": each["DeviceName"], "ebs": _ebs(each["Ebs"])} for each in devices],
        "tagSpecifications": [
            {"resourceType": each["ResourceType"], "tags": from_aws(each["Tags"])}
            for each in data.get("TagSpecifications", [])
            # moto 5.2.5 keeps the template's own tags among what machines are made from, where EC2 takes none.
            if each["ResourceType"] != LaunchTemplate.kind
        ],
    }


def _ebs(live: dict[str, Any]) -> Properties:
    read = {ours: live[theirs] for ours, theirs in _EBS.items() if theirs in live}
    return {name: str(value).lower() if name in _SWITCHES else value for name, value in read.items()}
