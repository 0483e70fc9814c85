"""EC2: launch templates and NAT gateways as on AWS."""

from typing import Any

from moto.ec2.exceptions import InvalidLaunchTemplateIdNotFound
from moto.ec2.models import EC2Backend
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend

from sandbox.aws.patch import patch


def as_aws_does_it() -> None:
    """Have moto's EC2 do what the functions below say."""
    templates_keep_their_own_tags()
    templates_that_are_gone_are_not_found()
    nat_gateways_take_their_interface()
    gateways_say_that_they_are_of_a_zone()


def templates_keep_their_own_tags() -> None:
    """Keep a template's own tags out of its data, which has the tags of what it launches: moto mixes them.

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


def templates_that_are_gone_are_not_found() -> None:
    """Refuse to delete an unknown template by the code for its ID, if an ID was given: moto has the name's code.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    delete = LaunchTemplateBackend.delete_launch_template

    def delete_launch_template(self: LaunchTemplateBackend, name: str, tid: str | None) -> LaunchTemplate:
        if tid and not name and tid not in self.launch_templates:
            raise InvalidLaunchTemplateIdNotFound(tid)
        return delete(self, name, tid)

    patch(LaunchTemplateBackend, "delete_launch_template", delete_launch_template)


def nat_gateways_take_their_interface() -> None:
    """Delete a NAT gateway's network interface with it: moto keeps it.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html
    """
    delete = NatGatewayBackend.delete_nat_gateway

    def delete_nat_gateway(self: EC2Backend, nat_gateway_id: str) -> NatGateway:
        gateway = delete(self, nat_gateway_id)
        self.enis.pop(gateway._eni.id, None)
        return gateway

    patch(NatGatewayBackend, "delete_nat_gateway", delete_nat_gateway)


def gateways_say_that_they_are_of_a_zone() -> None:
    """Set a NAT gateway's availability mode, which moto leaves out: only then do its subnet and address count.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html
    """
    patch(NatGateway, "availability_mode", "zonal")
