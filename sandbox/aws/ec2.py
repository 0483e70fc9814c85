"""EC2: launch templates whose own tags are not those of what they launch."""

from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend

from sandbox.aws.patch import patch


def templates_keep_their_own_tags() -> None:
    """The tags of a template stay out of its data, which says those of what it launches: moto has both there.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
    """
    create = LaunchTemplateBackend.create_launch_template

    def create_launch_template(
        self: LaunchTemplateBackend,
        name: str,
        description: str,
        template_data: dict[str, Any],
        tag_spec: dict[str, Any],
    ) -> LaunchTemplate:
        specifications = template_data.pop("TagSpecifications", [])
        if launched := [each for each in specifications if each["ResourceType"] != "launch-template"]:
            template_data["TagSpecifications"] = launched
        return create(self, name, description, template_data, tag_spec)

    patch(LaunchTemplateBackend, "create_launch_template", create_launch_template)
