"""Route 53: records that can be made again, and zones with name servers of their own."""

import itertools
from typing import Any

from moto.route53.models import DelegationSet, FakeZone, RecordSet

from sandbox.aws import zones
from sandbox.aws.patch import patch


def records_can_be_made_again() -> None:
    """A record that was deleted can be created as it was: moto finds it in its journal and says that it exists."""
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


def zones_as_route53_makes_them() -> None:
    """Every zone has name servers of its own, where moto's are the same four for all, and an SOA record of one text."""
    create, numbers = DelegationSet.__init__, itertools.cycle(range(zones.SETS))

    def init(
        self: DelegationSet, caller_reference: str, name_servers: list[str] | None, delegation_set_id: str | None
    ) -> None:
        create(self, caller_reference, name_servers or zones.delegation_set(next(numbers)), delegation_set_id)

    patch(DelegationSet, "__init__", init)
    add = FakeZone.add_rrset

    def add_rrset(self: FakeZone, record_set: dict[str, Any]) -> RecordSet:
        if record_set["Type"] == "SOA":
            # moto gives it in the form of a request, as an object inside of an object.
            record_set = {**record_set, "ResourceRecords": [each["Value"] for each in record_set["ResourceRecords"]]}
        return add(self, record_set)

    patch(FakeZone, "add_rrset", add_rrset)
