"""The stand-in for pulumi-resource-aws, driven over its protocol, against a moto server on loopback."""

import json
from typing import Any

import boto3
import grpc
import pytest
from botocore.config import Config
from moto import settings

from sandbox.plugins.aws.client import doing
from sandbox.plugins.aws.plugin import plugin
from sandbox.plugins.resource import PluginError
from tests.fast.plugin_engine import UNKNOWN, Engine, RefusedError, Resource, engine
from tests.loopback.aws_provider import settled

ZONE, RECORD = "aws:route53/zone:Zone", "aws:route53/record:Record"
CERTIFICATE = "aws:acm/certificate:Certificate"
VALIDATION = "aws:acm/certificateValidation:CertificateValidation"
BUCKET, POLICY = "aws:s3/bucket:Bucket", "aws:s3/bucketPolicy:BucketPolicy"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
BALANCERS = "aws:elb/getHostedZoneId:getHostedZoneId"


@pytest.fixture
def zone(aws: Engine) -> Resource:
    return aws.create(ZONE, {"name": "example.test", "tags": {"own": "yes"}})


def in_zone(zone: Resource, name: str, kind: str = "A", **more: Any) -> dict[str, Any]:
    values = {} if "aliases" in more else {"ttl": 60, "records": ["192.0.2.1"]}
    return {"zoneId": zone.id, "name": name, "type": kind} | values | more


def test_a_zone_has_name_servers_and_both_kinds_of_tags(zone: Resource) -> None:
    assert zone.state["zoneId"] == zone.id
    assert len(zone.state["nameServers"]) == 4
    assert zone.state["primaryNameServer"] in zone.state["nameServers"]
    assert zone.state["tags"] == {"own": "yes"}
    assert zone.state["tagsAll"] == {"app": "ejemplo", "own": "yes"}


def test_a_zone_is_mended_in_place_and_replaced_for_another_name(aws: Engine, zone: Resource, by_hand: Any) -> None:
    wanted = {"name": "example.test", "tags": {"own": "yes"}}
    by_hand("route53").update_hosted_zone_comment(Id=zone.id, Comment="by hand")
    by_hand("route53").change_tags_for_resource(
        ResourceType="hostedzone",
        ResourceId=zone.id,
        AddTags=[{"Key": "stray", "Value": "1"}],
        RemoveTagKeys=["app"],
    )
    drifted = aws.refreshed(zone)
    assert aws.changes(drifted, wanted) == {"comment": "UPDATE", "tags.stray": "DELETE"}
    aws.update(drifted, wanted)
    assert aws.refreshed(zone) == zone
    assert aws.changes(zone, wanted | {"name": "EXAMPLE.test."}) == {}
    assert aws.changes(zone, wanted | {"name": "example.org"}) == {"name": "UPDATE_REPLACE"}


def test_other_default_tags_reach_a_zone_whose_own_inputs_are_the_same(zone: Resource, endpoint: str) -> None:
    wanted = {"name": "example.test", "tags": {"own": "yes"}}
    with engine(plugin(), **settled(endpoint, app="other")) as later:
        assert later.changes(zone, wanted) == {"tagsAll": "UPDATE"}
        assert later.update(zone, wanted).state["tagsAll"] == {"app": "other", "own": "yes"}
        assert later.refreshed(zone).state["tagsAll"] == {"app": "other", "own": "yes"}


def test_a_zone_with_records_is_deleted_only_with_force(aws: Engine, zone: Resource, by_hand: Any) -> None:
    aws.create(RECORD, in_zone(zone, "www"))
    with pytest.raises(grpc.RpcError, match=r"deleting Route 53 Hosted Zone .*: HostedZoneNotEmpty: "):
        aws.delete(zone)
    forced = aws.update(zone, {"name": "example.test", "forceDestroy": True})
    aws.delete(forced)
    assert by_hand("route53").list_hosted_zones()["HostedZones"] == []
    assert aws.refresh(zone) is None
    aws.delete(forced)


def test_a_record_takes_the_place_of_another_only_when_told(aws: Engine, zone: Resource) -> None:
    aws.create(RECORD, in_zone(zone, "www"))
    with pytest.raises(grpc.RpcError, match=r"creating Route 53 Record \(www.example.test A\): it already exists"):
        aws.create(RECORD, in_zone(zone, "www", records=["192.0.2.2"]))
    over = aws.create(RECORD, in_zone(zone, "www", records=["192.0.2.2"], allowOverwrite=True))
    assert over.state["fqdn"] == "www.example.test"
    assert aws.refreshed(over).state["records"] == ["192.0.2.2"]


def test_a_record_spelled_otherwise_is_the_same_record(aws: Engine, zone: Resource) -> None:
    inputs = in_zone(zone, "_x.www.example.test.", "TXT", records=["one", "two words"])
    made = aws.create(RECORD, inputs)
    assert aws.refreshed(made) == made
    again = inputs | {"name": "_X.www.example.test", "records": ["two words", "one"]}
    assert aws.changes(made, again) == {}
    assert aws.changes(made, inputs | {"name": "y"}) == {"name": "UPDATE_REPLACE"}


def test_a_record_can_become_one_of_another_type(aws: Engine, zone: Resource, by_hand: Any) -> None:
    made = aws.create(RECORD, in_zone(zone, "www"))
    wanted = in_zone(zone, "www", "TXT", records=["text"])
    assert set(aws.changes(made, wanted).values()) == {"UPDATE"}
    aws.update(made, wanted)
    live = by_hand("route53").list_resource_record_sets(HostedZoneId=zone.id)["ResourceRecordSets"]
    assert [each["Type"] for each in live if each["Name"].startswith("www")] == ["TXT"]


def test_an_alias_that_points_elsewhere_is_seen_and_mended(aws: Engine, zone: Resource, by_hand: Any) -> None:
    target = {"name": "LB-1.us-east-1.elb.amazonaws.com", "zoneId": "Z35SXDOTRQ7X7K"}
    wanted = in_zone(zone, "www", aliases=[target | {"evaluateTargetHealth": False}])
    made = aws.create(RECORD, wanted)
    assert aws.refreshed(made).inputs == made.inputs
    record = by_hand("route53").list_resource_record_sets(
        HostedZoneId=zone.id, StartRecordName="www.example.test", StartRecordType="A"
    )["ResourceRecordSets"][0]
    record["AliasTarget"]["DNSName"] = "elsewhere.example.test."
    changes = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
    by_hand("route53").change_resource_record_sets(HostedZoneId=zone.id, ChangeBatch=changes)
    drifted = aws.refreshed(made)
    assert aws.changes(drifted, wanted) == {"aliases[0].name": "UPDATE"}
    assert aws.refreshed(aws.update(drifted, wanted)).inputs == made.inputs


def test_a_record_goes_with_whatever_it_says_by_then(aws: Engine, zone: Resource, by_hand: Any) -> None:
    made = aws.create(RECORD, in_zone(zone, "www"))
    aws.create(RECORD, in_zone(zone, "www", records=["192.0.2.9"], allowOverwrite=True))
    aws.delete(made)
    assert aws.refresh(made) is None
    aws.delete(made)


@pytest.mark.parametrize("wrong", [{"ttl": None}, {"records": None}, {"aliases": []}])
def test_a_record_that_is_neither_values_nor_an_alias_is_refused(aws: Engine, wrong: dict[str, Any]) -> None:
    inputs = {"zoneId": "Z", "name": "www", "type": "A", "ttl": 60, "records": ["192.0.2.1"]} | wrong
    with pytest.raises(RefusedError):
        aws.check(RECORD, inputs)


def test_a_certificate_names_the_records_and_acm_adds_the_domain_to_its_names(aws: Engine) -> None:
    names = ["b.example.test", "a.example.test"]
    inputs = {"domainName": "www.example.test", "subjectAlternativeNames": names, "validationMethod": "DNS"}
    made = aws.create(CERTIFICATE, inputs)
    options = made.state["domainValidationOptions"]
    assert {option["domainName"] for option in options} == {"www.example.test", *names}
    for option in options:
        assert option["resourceRecordType"] == "CNAME"
        assert option["resourceRecordName"].endswith(f".{option['domainName']}.")
        assert option["resourceRecordValue"]
    assert aws.refreshed(made).inputs == made.inputs
    assert aws.changes(made, inputs | {"subjectAlternativeNames": names[::-1]}) == {}
    assert aws.changes(made, inputs | {"domainName": "x.test"}) == {"domainName": "UPDATE_REPLACE"}


def test_a_validation_waits_and_says_which_record_it_looks_for(aws: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = aws.create(CERTIFICATE, {"domainName": "www.example.test", "validationMethod": "DNS"})
    option = certificate.state["domainValidationOptions"][0]
    inputs = {"certificateArn": certificate.id}
    with pytest.raises(grpc.RpcError) as failure:
        aws.create(VALIDATION, inputs, timeout=0.0001)
    record = f"CNAME {option['resourceRecordName']} -> {option['resourceRecordValue']}"
    assert record in failure.value.details()
    with pytest.raises(grpc.RpcError, match="validationRecordFqdns lacks CNAME"):
        aws.create(VALIDATION, inputs | {"validationRecordFqdns": ["x.test"]})

    monkeypatch.setattr(settings, "ACM_VALIDATION_WAIT", 0)
    issued = aws.create(VALIDATION, inputs | {"validationRecordFqdns": [option["resourceRecordName"].rstrip(".")]})
    assert aws.refresh(issued) == issued
    assert aws.refreshed(certificate).state["status"] == "ISSUED"
    aws.delete(issued)
    aws.delete(certificate)
    assert aws.refresh(issued) is None
    assert aws.refresh(certificate) is None


def test_a_bucket_without_a_name_gets_one_and_keeps_it(aws: Engine) -> None:
    made = aws.create(BUCKET, {})
    assert made.id.startswith("thing-")
    assert len(made.id) == len("thing-") + 7
    assert made.state["region"] == "us-east-1"
    assert made.state["tagsAll"] == {"app": "ejemplo"}
    assert aws.changes(made, {}) == {}
    assert aws.refreshed(made) == made


def test_a_bucket_that_exists_is_not_taken_over(aws: Engine) -> None:
    aws.create(BUCKET, {"bucket": "taken"})
    with pytest.raises(grpc.RpcError, match=r"creating S3 Bucket \(taken\): BucketAlreadyExists"):
        aws.create(BUCKET, {"bucket": "taken"})


def test_a_bucket_is_made_where_the_provider_says(endpoint: str, by_hand: Any) -> None:
    with engine(plugin(), **settled(endpoint, region="eu-west-1")) as there:
        made = there.create(BUCKET, {"bucket": "there"})
    assert made.state["region"] == "eu-west-1"
    assert by_hand("s3").get_bucket_location(Bucket="there")["LocationConstraint"] == "eu-west-1"


def test_a_bucket_with_versions_is_deleted_only_with_force(aws: Engine, by_hand: Any) -> None:
    made = aws.create(BUCKET, {"bucket": "full"})
    kept = aws.create(VERSIONING, {"bucket": "full", "versioningConfiguration": {"status": "Enabled"}})
    for body in (b"1", b"2"):
        by_hand("s3").put_object(Bucket="full", Key="key", Body=body)
    by_hand("s3").delete_object(Bucket="full", Key="key")
    with pytest.raises(grpc.RpcError, match=r"deleting S3 Bucket \(full\): BucketNotEmpty"):
        aws.delete(made)
    aws.delete(aws.update(made, {"bucket": "full", "forceDestroy": True}))
    assert by_hand("s3").list_buckets()["Buckets"] == []
    assert aws.refresh(kept) is None


DENY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": ["s3:*"],
    "Resource": ["arn:aws:s3:::box", "arn:aws:s3:::box/*"],
}
SETTINGS = [
    (VERSIONING, {"versioningConfiguration": {"status": "Enabled"}}),
    (ENCRYPTION, {"rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]}),
    (BLOCK, {"blockPublicAcls": True, "restrictPublicBuckets": True}),
    (POLICY, {"policy": json.dumps({"Version": "2012-10-17", "Statement": [DENY]})}),
    (OWNERSHIP, {"rule": {"objectOwnership": "BucketOwnerEnforced"}}),
]


@pytest.mark.parametrize(("kind", "inputs"), SETTINGS)
def test_a_setting_of_a_bucket_holds_and_goes_with_the_bucket(aws: Engine, kind: str, inputs: dict[str, Any]) -> None:
    bucket = aws.create(BUCKET, {"bucket": "box"})
    made = aws.create(kind, {"bucket": "box"} | inputs)
    assert aws.changes(aws.refreshed(made), {"bucket": "box"} | inputs) == {}
    assert aws.changes(made, {"bucket": "c"} | inputs) == {"bucket": "UPDATE_REPLACE"}
    aws.delete(made)
    if kind not in (VERSIONING, ENCRYPTION):  # S3 suspends the one and puts its default in the other's place
        assert aws.refresh(made) is None
    aws.delete(bucket)
    assert aws.refresh(made) is None


def test_what_was_switched_off_by_hand_is_switched_on_again(aws: Engine, by_hand: Any) -> None:
    aws.create(BUCKET, {"bucket": "box"})
    wanted = {"bucket": "box", "blockPublicAcls": True, "blockPublicPolicy": True}
    made = aws.create(BLOCK, wanted)
    by_hand("s3").put_public_access_block(
        Bucket="box", PublicAccessBlockConfiguration={"BlockPublicAcls": False, "IgnorePublicAcls": True}
    )
    drifted = aws.refreshed(made)
    assert aws.changes(drifted, wanted) == {
        "blockPublicAcls": "UPDATE",
        "blockPublicPolicy": "UPDATE",
        "ignorePublicAcls": "DELETE",
    }
    aws.update(drifted, wanted)
    live = by_hand("s3").get_public_access_block(Bucket="box")["PublicAccessBlockConfiguration"]
    assert (live["BlockPublicAcls"], live["BlockPublicPolicy"], live["IgnorePublicAcls"]) == (
        True,
        True,
        False,
    )


def test_a_policy_that_says_the_same_is_no_change(aws: Engine) -> None:
    aws.create(BUCKET, {"bucket": "box"})
    policy = {"Version": "2012-10-17", "Statement": [DENY]}
    made = aws.create(POLICY, {"bucket": "box", "policy": json.dumps(policy)})
    same = {
        "Statement": DENY | {"Action": "s3:*", "Resource": DENY["Resource"][::-1]},
        "Version": "2012-10-17",
    }
    assert aws.changes(made, {"bucket": "box", "policy": json.dumps(same)}) == {}
    assert aws.changes(made, {"bucket": "box", "policy": same}) == {}
    looser = {"Statement": [DENY | {"Effect": "Allow"}], "Version": "2012-10-17"}
    assert aws.changes(made, {"bucket": "box", "policy": json.dumps(looser)}) == {"policy": "UPDATE"}


def test_the_zone_of_the_balancers_is_the_one_of_the_region(aws: Engine) -> None:
    assert aws.invoke(BALANCERS, {})["id"] == "Z35SXDOTRQ7X7K"
    assert aws.invoke(BALANCERS, {"region": "eu-west-1"})["id"] == "Z32O12XQLNTSW2"
    assert aws.invoke(BALANCERS, {"region": UNKNOWN}) == {"id": UNKNOWN, "region": UNKNOWN}
    with pytest.raises(grpc.RpcError, match="mars-north-1"):
        aws.invoke(BALANCERS, {"region": "mars-north-1"})


def test_a_preview_asks_nothing_of_aws() -> None:
    with engine(plugin(), **settled("http://127.0.0.1:1")) as speaking:
        assert speaking.preview(ZONE, {"name": "example.test"})["nameServers"] == UNKNOWN
        inputs = {"zoneId": UNKNOWN, "name": UNKNOWN, "type": UNKNOWN, "ttl": 60, "records": [UNKNOWN]}
        assert speaking.preview(RECORD, inputs)["fqdn"] == UNKNOWN


def test_an_endpoint_that_does_not_answer_is_named_with_what_to_do(endpoint: str) -> None:
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("s3", region_name="us-east-1", endpoint_url="http://127.0.0.1:1", config=once)
    with pytest.raises(PluginError, match=r"^listing: .*http://127.0.0.1:1.*`endpoints`"), doing("listing"):
        client.list_buckets()
