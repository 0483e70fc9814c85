"""Certificates."""

import time
import uuid
from datetime import datetime
from typing import Any, ClassVar

from sandbox.plugins.aws.client import Aws, doing, unless
from sandbox.plugins.aws.tags import Tagged, from_aws, to_aws
from sandbox.plugins.resource import Call, PartialFailureError, PluginError
from sandbox.plugins.values import Properties, adjusted

ASSIGNMENT_SECONDS = 5 * 60
"""How long ACM may take to say which records it wants, as the official provider."""
IN_USE_SECONDS = 20 * 60
"""How long a balancer that is going may hold its certificate, as the official provider."""
POLL_SECONDS = 1
"""Time between two looks at a certificate."""


class Certificate(Tagged):
    """A certificate that Amazon issues; its id is its ARN."""

    token = "aws:acm/certificate:Certificate"
    inputs: ClassVar = {
        "domainName": str,
        "subjectAlternativeNames": [str],
        "validationMethod": str,
        "tags": dict,
    }
    required = frozenset({"domainName", "validationMethod"})
    computed = frozenset(
        {
            "arn",
            "domainValidationOptions",
            "status",
            "type",
            "notBefore",
            "notAfter",
            "keyAlgorithm",
            "tagsAll",
        }
    )
    filled_in = frozenset({"subjectAlternativeNames"})
    replace_on = frozenset({"domainName", "subjectAlternativeNames", "validationMethod"})

    def comparable(self, inputs: Properties) -> Properties:
        """Take the alternative names as a set."""
        return adjusted(inputs, subjectAlternativeNames=lambda names: sorted(set(names)))

    def create(self, inputs: Properties, *, call: Call) -> tuple[str, Properties]:
        """Request the certificate and wait until ACM says which records validate it."""
        what = f"requesting ACM Certificate ({inputs['domainName']})"
        names, tags = inputs.get("subjectAlternativeNames"), self.merged(inputs)
        wanted: dict[str, Any] = {"SubjectAlternativeNames": names} if names else {}
        wanted |= {"Tags": to_aws(tags)} if tags else {}
        with doing(what):
            arn = self.aws.acm.request_certificate(
                DomainName=inputs["domainName"],
                ValidationMethod=inputs["validationMethod"],
                IdempotencyToken=uuid.uuid4().hex,
                **wanted,
            )["CertificateArn"]
        deadline = time.monotonic() + ASSIGNMENT_SECONDS
        try:
            while not _records_known(outputs := self._outputs(arn, state=inputs)):
                if time.monotonic() > deadline:
                    raise PluginError(f"{what}: ACM has not named the records that validate it, run it again")
                call.pause(POLL_SECONDS)
        except PluginError as error:
            raise PartialFailureError(str(error), id=arn, outputs=inputs | {"arn": arn}) from error
        return arn, outputs

    def read(self, id: str, *, state: Properties, call: Call) -> Properties | None:
        """Look the certificate up; one whose validation timed out is as good as gone."""
        with unless("ResourceNotFoundException"):
            outputs = self._outputs(id, state=state)
            return None if outputs["status"] == "VALIDATION_TIMED_OUT" else outputs
        return None

    def update(self, id: str, *, state: Properties, inputs: Properties, call: Call) -> Properties:
        """Change the tags."""
        wanted, had = self.merged(inputs), state.get("tagsAll") or {}
        gone = {key: value for key, value in had.items() if key not in wanted}
        with doing(f"tagging ACM Certificate ({id})"):
            if gone:
                self.aws.acm.remove_tags_from_certificate(CertificateArn=id, Tags=to_aws(gone))
            if wanted:
                self.aws.acm.add_tags_to_certificate(CertificateArn=id, Tags=to_aws(wanted))
        return self._outputs(id, state=inputs)

    def delete(self, id: str, *, state: Properties, call: Call) -> None:
        """Delete the certificate, waiting for whoever still uses it to let go."""
        deadline = call.deadline(IN_USE_SECONDS)
        while True:
            with unless("ResourceNotFoundException"):
                with unless("ResourceInUseException"), doing(f"deleting ACM Certificate ({id})"):
                    self.aws.acm.delete_certificate(CertificateArn=id)
                    return
                users = ", ".join(describe(self.aws, id).get("InUseBy", [])) or "something"
                if time.monotonic() > deadline:
                    raise PluginError(f"deleting ACM Certificate ({id}): it is still in use by {users}")
                call.log(f"waiting for {users} to let go of the certificate")
                call.pause(POLL_SECONDS)
                continue
            return

    def _outputs(self, arn: str, *, state: Properties) -> Properties:
        live = describe(self.aws, arn)
        with doing(f"reading the tags of ACM Certificate ({arn})"):
            tags = self.aws.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
        options = live.get("DomainValidationOptions", [])
        names, given = set(live.get("SubjectAlternativeNames", [])), state.get("subjectAlternativeNames")
        # ACM adds the domain itself to the names it was given
        keep = given is not None and {*given, live["DomainName"]} == names | {live["DomainName"]}
        return {
            "arn": arn,
            "domainName": live["DomainName"],
            "subjectAlternativeNames": given if keep else sorted(names),
            "validationMethod": next((o["ValidationMethod"] for o in options if "ValidationMethod" in o), None)
            or state.get("validationMethod"),
            "domainValidationOptions": [_option(each) for each in options],
            "status": live["Status"],
            "type": live["Type"],
            "keyAlgorithm": live.get("KeyAlgorithm", "").replace("-", "_"),
            "notBefore": moment(live.get("NotBefore")),
            "notAfter": moment(live.get("NotAfter")),
            **self.seen(from_aws(tags), state),
        }


def describe(aws: Aws, arn: str) -> dict[str, Any]:
    """Ask ACM about a certificate. Raises AwsError, also when there is none."""
    with doing(f"reading ACM Certificate ({arn})"):
        found: dict[str, Any] = aws.acm.describe_certificate(CertificateArn=arn)["Certificate"]
    return found


def _records_known(outputs: Properties) -> bool:
    options = outputs["domainValidationOptions"]
    by_dns = outputs["validationMethod"] == "DNS"
    return bool(options) and (not by_dns or all(option["resourceRecordName"] for option in options))


def _option(live: dict[str, Any]) -> dict[str, Any]:
    record = live.get("ResourceRecord", {})
    return {
        "domainName": live["DomainName"],
        "resourceRecordName": record.get("Name"),
        "resourceRecordType": record.get("Type"),
        "resourceRecordValue": record.get("Value"),
    }


def moment(when: datetime | None) -> str | None:
    """Spell a moment as ISO 8601, None where ACM gives none."""
    return when.isoformat() if when else None
