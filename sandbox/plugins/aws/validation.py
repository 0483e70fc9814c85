"""The wait for a certificate's validation."""

import time
from typing import Any, ClassVar

from sandbox.plugins.aws.certificate import POLL_SECONDS, describe, moment
from sandbox.plugins.aws.changes import plain_name
from sandbox.plugins.aws.client import Aws, unless
from sandbox.plugins.resource import Call, PluginError, ResourceType
from sandbox.plugins.values import Properties, adjusted

ISSUE_SECONDS = 75 * 60
"""How long to wait for a certificate when the program sets no timeout, as the official provider."""


class CertificateValidation(ResourceType):
    """Exists when a certificate is issued; stands for no object of its own."""

    token = "aws:acm/certificateValidation:CertificateValidation"
    inputs: ClassVar = {"certificateArn": str, "validationRecordFqdns": [str]}
    required = frozenset({"certificateArn"})
    replace_on = frozenset({"certificateArn", "validationRecordFqdns"})

    def __init__(self, aws: Aws) -> None:
        """Work with these clients."""
        self.aws = aws

    def comparable(self, inputs: Properties) -> Properties:
        """Take the record names as a set, spelled as DNS compares them."""
        return adjusted(inputs, validationRecordFqdns=lambda names: sorted(set(map(plain_name, names))))

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Wait until the certificate is issued; say which records ACM is looking for when it is not."""
        arn, deadline = inputs["certificateArn"], call.deadline(ISSUE_SECONDS)
        live = describe(self.aws, arn)
        if live["Type"] != "AMAZON_ISSUED":
            raise PluginError(f"ACM Certificate ({arn}) has type {live['Type']}, which needs no validation")
        _refuse_missing(live, inputs.get("validationRecordFqdns"))
        while live["Status"] == "PENDING_VALIDATION":
            if time.monotonic() > deadline:
                raise PluginError(
                    f"waiting for ACM Certificate ({arn}) to be issued: timed out. "
                    f"ACM looks for {_wanted(live)}. Check that the zone has these records and "
                    "that its parent delegates to its name servers."
                )
            call.log(f"waiting for ACM to see {_wanted(live)}")
            call.pause(POLL_SECONDS)
            live = describe(self.aws, arn)
        if live["Status"] != "ISSUED":
            reason = live.get("FailureReason") or live.get("RevocationReason") or "ACM gives no reason"
            raise PluginError(f"waiting for ACM Certificate ({arn}) to be issued: it is {live['Status']}: {reason}")
        return moment(live.get("IssuedAt")) or arn, inputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """It is there as long as the certificate is issued."""
        with unless("ResourceNotFoundException"):
            return state if describe(self.aws, state["certificateArn"])["Status"] == "ISSUED" else None
        return None

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Forget it: AWS has nothing to delete."""


def _refuse_missing(live: dict[str, Any], given: list[str] | None) -> None:
    """Refuse at once a list of records that leaves one out: ACM would wait for it in vain."""
    if given:
        have = set(map(plain_name, given))
        missing = [
            each
            for each in live["DomainValidationOptions"]
            if "ResourceRecord" in each and plain_name(each["ResourceRecord"]["Name"]) not in have
        ]
        if missing:
            raise PluginError(
                f"validationRecordFqdns lacks {_wanted({'DomainValidationOptions': missing})} "
                f"of ACM Certificate ({live['CertificateArn']})"
            )


def _wanted(live: dict[str, Any]) -> str:
    records = [each["ResourceRecord"] for each in live["DomainValidationOptions"] if "ResourceRecord" in each]
    return ", ".join(f"{each['Type']} {each['Name']} -> {each['Value']}" for each in records) or "no DNS record"
