"""Route 53: creating and deleting records as on AWS, and zones with their own name servers."""

import itertools
from typing import Any

from moto.route53.exceptions import Route53ClientError
from moto.route53.models import DelegationSet, FakeZone, RecordSet, Route53Backend

from sandbox.aws import zones
from sandbox.aws.patch import patch


def as_aws_does_it() -> None:
    """Have moto's Route 53 do what the functions below say."""
    records_can_be_made_again()
    records_go_once()
    zones_as_route53_makes_them()


def records_can_be_made_again() -> None:
    """Allow a deleted record to be created again: moto finds it in its journal and refuses."""
    delete = FakeZone.delete_rrset

    def delete_rrset(self: FakeZone, rrset: dict[str, Any]) -> None:
        delete(self, rrset)
        gone = (rrset["Name"].strip("."), rrset["Type"])
        self.rr_changes[:] = [
            each
            for each in self.rr_changes
            if (each["ResourceRecordSet"]["Name"], each["ResourceRecordSet"]["Type"]) != gone
        ]

    patch(FakeZone, "delete_rrset", delete_rrset)


def records_go_once() -> None:
    """Refuse the deletion of a missing record with AWS's message, which SDK users match."""
    change = Route53Backend.change_resource_record_sets

    def change_resource_record_sets(self: Route53Backend, zoneid: str, change_list: list[dict[str, Any]]) -> None:
        there = {(each.name.strip("."), each.type) for each in self.get_hosted_zone(zoneid).rrsets}
        for each in change_list:
            name, kind = each["ResourceRecordSet"]["Name"], each["ResourceRecordSet"]["Type"]
            if each["Action"] == "DELETE" and (name.strip("."), kind) not in there:
                said = f"Tried to delete resource record set [name='{name}', type='{kind}'] but it was not found"
                raise Route53ClientError("InvalidChangeBatch", said)
        change(self, zoneid, change_list)

    patch(Route53Backend, "change_resource_record_sets", change_resource_record_sets)


def zones_as_route53_makes_them() -> None:
    """Give each zone its own name servers, where moto's all have the same four, and an SOA record of one text."""
    create, numbers = DelegationSet.__init__, itertools.cycle(range(zones.SETS))

    def init(
        self: DelegationSet, caller_reference: str, name_servers: list[str] | None, delegation_set_id: str | None
    ) -> None:
        create(self, caller_reference, name_servers or zones.delegation_set(next(numbers)), delegation_set_id)

    patch(DelegationSet, "__init__", init)
    add = FakeZone.add_rrset

    def add_rrset(self: FakeZone, record_set: dict[str, Any]) -> RecordSet:
        if record_set["Type"] == "SOA":
            # moto has it in the form of a request, as a nested object.
            record_set = {**record_set, "ResourceRecords": [each["Value"] for each in record_set["ResourceRecords"]]}
        return add(self, record_set)

    patch(FakeZone, "add_rrset", add_rrset)
