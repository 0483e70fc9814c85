"""Changes behind Pulumi's back: `refresh` sees them, and `up` fixes them and nothing else."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e import cloud
from tests.e2e.site import Site
from tests.e2e.stack import Change, Stack
from tests.e2e.waiting import eventually

DEPLOYMENT = "kubernetes:apps/v1:Deployment web-deployment"
SECRET = "kubernetes:core/v1:Secret regcred-secret"
SERVICE = "kubernetes:core/v1:Service web-service"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning state-versioned"
RECORD = "aws:route53/record:Record web-record-ejemplo-django.local.example.test"

PROTOCOL = "service.beta.kubernetes.io/aws-load-balancer-backend-protocol"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The operations that `refresh` saw, `preview` planned and `up` did."""

    seen: dict[str, str]
    planned: dict[str, str]
    mended: dict[str, str]
    record: Any
    """The host's record before the changes."""


def _listener(stack: Stack) -> str:
    """Return the protocol of the load balancer's port 443."""
    name = stack.outputs()["hostname"]
    for balancer in cloud.client("elb").describe_load_balancers()["LoadBalancerDescriptions"]:
        for each in balancer["ListenerDescriptions"]:
            if balancer["DNSName"] == name and each["Listener"]["LoadBalancerPort"] == 443:
                return str(each["Listener"]["Protocol"])
    raise AssertionError(f"{name} has no listener on 443")


def _record(zone: str, host: str) -> Any:
    records = cloud.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    found = [each for each in records if each["Name"].rstrip(".") == host]
    return found[0] if found else None


@pytest.fixture(scope="module")
def drift(stack: Stack, site: Site, outputs: dict[str, Any]) -> Drift:
    """Change five resources of different kinds by hand; then run refresh, preview and up."""
    zone, bucket = outputs["zoneId"], outputs["stateStore"].removeprefix("s3://")
    record = _record(zone, site.host)
    changes = [{"Action": "DELETE", "ResourceRecordSet": record}]
    try:
        stack.kubectl("scale", "deployment/ejemplo-django", "--replicas=1")
        stack.kubectl("delete", "secret/regcred")
        stack.kubectl("annotate", "service/ejemplo-django-service", "--overwrite", f"{PROTOCOL}=tcp")
        cloud.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
        cloud.client("route53").change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})

        def broken() -> None:
            """AWS's controller has applied the annotation."""
            assert _listener(stack) == "SSL"

        eventually(broken)
        seen: Change = stack.change("refresh")
        planned = stack.plan()
    except BaseException:
        stack.change("up", "--refresh")
        raise
    mended = stack.change("up")
    return Drift(seen=seen.operations, planned=planned.operations, mended=mended.operations, record=record)


def test_refresh_sees_exactly_what_was_changed(drift: Drift) -> None:
    assert drift.seen == {
        DEPLOYMENT: "update",
        SECRET: "delete",
        SERVICE: "update",
        VERSIONING: "update",
        RECORD: "delete",
    }


def test_up_mends_exactly_that(drift: Drift) -> None:
    assert drift.mended == {
        DEPLOYMENT: "update",
        SECRET: "create",
        SERVICE: "update",
        VERSIONING: "update",
        RECORD: "create",
    }


def test_preview_foretells_it(drift: Drift) -> None:
    assert drift.planned == drift.mended


def test_a_deployment_scaled_by_hand_has_its_replicas_again(drift: Drift, stack: Stack) -> None:
    assert DEPLOYMENT in drift.mended
    deployment = stack.objects("deployment/ejemplo-django")
    assert deployment["spec"]["replicas"] == deployment["status"]["readyReplicas"] == 2


def test_a_deleted_secret_is_there_again(drift: Drift, stack: Stack) -> None:
    assert SECRET in drift.mended
    assert ".dockerconfigjson" in stack.objects("secret/regcred")["data"]


def test_a_changed_annotation_is_as_it_was_and_the_balancer_too(drift: Drift, stack: Stack) -> None:
    assert SERVICE in drift.mended
    assert stack.objects("service/ejemplo-django-service")["metadata"]["annotations"][PROTOCOL] == "http"

    def mended() -> None:
        assert _listener(stack) == "HTTPS"

    eventually(mended)


def test_suspended_versioning_is_on_again(drift: Drift, outputs: dict[str, Any]) -> None:
    assert VERSIONING in drift.mended
    bucket = outputs["stateStore"].removeprefix("s3://")
    assert cloud.client("s3").get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"


def test_a_deleted_record_is_there_again(drift: Drift, outputs: dict[str, Any], site: Site) -> None:
    assert drift.record is not None
    assert _record(outputs["zoneId"], site.host) == drift.record


@pytest.mark.usefixtures("drift")
def test_the_site_answers_again(site: Site) -> None:
    assert eventually(site.page).status == 200


@pytest.mark.usefixtures("drift")
def test_nothing_is_left_to_do(stack: Stack) -> None:
    assert stack.change("refresh", "--expect-no-changes").steps == []
    assert stack.plan("--expect-no-changes").steps == []
