"""The end of a stack: what is asked before, and what is found afterwards, in the AWS of a moto server on loopback."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
import requests

from infra.settings.aws import Aws
from ops import audit, leftovers, teardown
from ops.errors import OpsError
from ops.leftovers import Left
from ops.traces import Object, Traces, balancers
from tests.aws_server import aws_server
from tests.fast.api_server import World, api_server

DOMAIN, CLUSTER = "dev.example.com", "useast1.dev.example.com"
OWNED = {"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}
SERVICE = {"Key": "kubernetes.io/service-name", "Value": "default/ejemplo-django-service"}
OTHER = {"Key": "kubernetes.io/service-name", "Value": "default/shop"}
SECRET = "kubernetes:core/v1:Secret"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with aws_server() as address, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield address


@pytest.fixture
def endpoint(server: str) -> str:
    """An AWS in which nothing is but the default network."""
    requests.post(f"{server}/moto-api/reset", timeout=5).raise_for_status()
    return server


@pytest.fixture
def cloud(endpoint: str) -> Callable[[str], Any]:
    """From a service's name to its client."""
    return cache(lambda service: boto3.client(service, region_name="us-east-1", endpoint_url=endpoint))


@pytest.fixture
def traces(endpoint: str) -> Traces:
    """Of a stack in a cluster that goes on, the cluster itself not asked."""
    return Traces(
        aws=Aws(region="us-east-1", endpoint=endpoint, tags={"project": "ejemplo-django", "stack": "dev"}),
        domain=DOMAIN,
        host=f"ejemplo-django.{DOMAIN}",
        cluster=CLUSTER,
        owns_cluster=False,
        namespace="default",
        kubeconfig=None,
        objects=frozenset(),
    )


def left(traces: Traces, look: Callable[[Traces], Iterator[Left]]) -> list[str]:
    return [each.what for each in look(traces)]


def elb(cloud: Callable[[str], Any], name: str, *tags: dict[str, str]) -> None:
    listener = {"Protocol": "tcp", "LoadBalancerPort": 443, "InstancePort": 30000}
    cloud("elb").create_load_balancer(
        LoadBalancerName=name,
        Listeners=[listener],
        AvailabilityZones=["us-east-1a"],
        **({"Tags": tags} if tags else {}),
    )


def zone(cloud: Callable[[str], Any], name: str) -> str:
    made = cloud("route53").create_hosted_zone(Name=name, CallerReference=name)
    return str(made["HostedZone"]["Id"].removeprefix("/hostedzone/"))


def record(cloud: Callable[[str], Any], zone: str, name: str, type_: str, value: str) -> None:
    changed = {"Name": name, "Type": type_, "TTL": 60, "ResourceRecords": [{"Value": value}]}
    cloud("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": changed}]}
    )


@pytest.mark.timeout(120)  # a client of each service: megabytes of descriptions are read
def test_nothing_is_found_where_nothing_was_left(traces: Traces) -> None:
    assert audit.audit(traces) == audit.Report(left=[], unseen=[])


def test_the_balancer_of_the_service_is_found_and_its_neighbours_are_not(
    cloud: Callable[[str], Any], traces: Traces
) -> None:
    elb(cloud, "ours", OWNED, SERVICE)
    elb(cloud, "of-another-service", OWNED, OTHER)
    elb(cloud, "of-another-cluster", SERVICE, {"Key": "kubernetes.io/cluster/other", "Value": "owned"})
    assert left(traces, leftovers.elbs) == ["classic balancer ours"]


def test_with_a_cluster_of_its_own_every_balancer_of_the_cluster_was_the_stacks(
    cloud: Callable[[str], Any], traces: Traces
) -> None:
    elb(cloud, "of-another-service", OWNED, OTHER)
    assert left(dataclasses.replace(traces, owns_cluster=True), leftovers.elbs) == [
        "classic balancer of-another-service"
    ]


def test_a_balancer_is_found_by_the_name_that_the_state_knew(cloud: Callable[[str], Any], traces: Traces) -> None:
    uid = "0f6a2b1c-1111-2222-3333-444455556666"
    state = [{"type": "kubernetes:core/v1:Service", "outputs": {"metadata": {"uid": uid}}}]
    known = frozenset(balancers(state))
    elb(cloud, "a0f6a2b1c111122223333444455556666"[:32])
    cloud("ec2").create_security_group(
        GroupName=f"k8s-elb-{next(iter(known))}", Description="Security group for Kubernetes ELB"
    )
    of = dataclasses.replace(traces, balancers=known)
    assert left(of, leftovers.elbs) == [f"classic balancer {next(iter(known))}"]
    assert len(left(of, leftovers.security_groups)) == 1


def test_a_security_group_and_a_volume_are_found_by_the_tags_of_their_makers(
    cloud: Callable[[str], Any], traces: Traces
) -> None:
    ec2 = cloud("ec2")
    for name, service in (("k8s-elb-a1", "ejemplo-django-service"), ("k8s-elb-a2", "shop")):
        text = f"Security group for Kubernetes ELB {name} (default/{service})"
        tags = [{"ResourceType": "security-group", "Tags": [OWNED]}]
        ec2.create_security_group(GroupName=name, Description=text, TagSpecifications=tags)
    for claim in ("ejemplo-django-media", "shop-data"):
        of = {"namespace": "default", "name": claim}
        pvc = [{"Key": f"kubernetes.io/created-for/pvc/{key}", "Value": value} for key, value in of.items()]
        tags = [{"ResourceType": "volume", "Tags": [OWNED, *pvc]}]
        ec2.create_volume(Size=3, AvailabilityZone="us-east-1a", TagSpecifications=tags)
    (group,), (volume,) = left(traces, leftovers.security_groups), left(traces, leftovers.volumes)
    assert group.startswith("security group")
    assert group.endswith("(k8s-elb-a1)")
    assert volume.startswith("volume")


def test_a_record_left_in_the_zone_is_found_with_the_zone(cloud: Callable[[str], Any], traces: Traces) -> None:
    id = zone(cloud, DOMAIN)
    record(cloud, id, f"old.{DOMAIN}", "A", "192.0.2.7")
    zone(cloud, "other.example.com")
    assert left(traces, leftovers.zones) == [
        f"record old.{DOMAIN}. A in the hosted zone {id}",
        f"hosted zone {DOMAIN} ({id})",
    ]


def test_a_delegation_to_the_deleted_zone_is_found_in_the_zone_above(
    cloud: Callable[[str], Any], traces: Traces
) -> None:
    id = zone(cloud, "example.com")
    record(cloud, id, DOMAIN, "NS", "ns-1.awsdns.test.")
    record(cloud, id, f"x{DOMAIN}", "NS", "ns-1.awsdns.test.")
    (found,) = left(traces, leftovers.zones)
    assert found.startswith(f"record {DOMAIN}. NS in the zone example.com.")


def test_the_stacks_certificate_is_found_and_another_for_the_same_host_is_not(
    cloud: Callable[[str], Any], traces: Traces
) -> None:
    acm = cloud("acm")
    tags = [{"Key": key, "Value": value} for key, value in traces.aws.tags.items()]
    ours = acm.request_certificate(DomainName=traces.host, IdempotencyToken="ours", Tags=tags)["CertificateArn"]
    acm.request_certificate(DomainName=traces.host, IdempotencyToken="theirs")
    assert left(traces, leftovers.certificates) == [f"certificate for {traces.host} ({ours})"]


def test_a_state_bucket_is_found_with_what_empties_it_of_its_versions(
    cloud: Callable[[str], Any], traces: Traces
) -> None:
    s3 = cloud("s3")
    s3.create_bucket(Bucket=traces.bucket)
    (empty,) = leftovers.bucket(traces)
    assert empty.what == f"bucket {traces.bucket}"
    assert "delete-objects" not in empty.remove
    s3.put_bucket_versioning(Bucket=traces.bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=traces.bucket, Key="config", Body=b"one")
    s3.delete_object(Bucket=traces.bucket, Key="config")
    (filled,) = leftovers.bucket(traces)
    assert "delete-objects" in filled.remove


@pytest.fixture
def cluster() -> Iterator[World]:
    """An API server that serves Secrets."""
    with api_server() as world:
        world.objects["/api/v1"] = {"resources": [{"kind": "Secret", "name": "secrets"}]}
        yield world


def secrets(world: World, *names: str) -> None:
    items = [{"metadata": {"name": name}} for name in names]
    world.objects["/api/v1/namespaces/default/secrets"] = {"items": items}


def test_the_programs_secrets_are_found_in_the_cluster_by_name_and_by_the_name_that_pulumi_made(
    cluster: World, traces: Traces
) -> None:
    ours = frozenset(
        {
            Object(token=SECRET, name="regcred", exact=True),
            Object(token=SECRET, name="ejemplo-django-key-", exact=False),
        }
    )
    of = dataclasses.replace(traces, kubeconfig=cluster.kubeconfig(), objects=ours)
    secrets(cluster, "shop", "regcred-of-the-shop")
    assert left(of, leftovers.objects) == []
    secrets(cluster, "shop", "regcred", "ejemplo-django-key-1fdf96d3")
    assert left(of, leftovers.objects) == [
        f"Secret default/regcred in the cluster {CLUSTER}",
        f"Secret default/ejemplo-django-key-1fdf96d3 in the cluster {CLUSTER}",
    ]


def test_a_cluster_that_does_not_answer_is_not_taken_for_an_empty_one(
    cluster: World, traces: Traces, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = frozenset({Object(token=SECRET, name="regcred", exact=True)})
    closed = cluster.kubeconfig().replace(cluster.url, "http://127.0.0.1:9")
    report = audit.audit(dataclasses.replace(traces, kubeconfig=closed, objects=ours))
    assert report.left == []
    assert "127.0.0.1:9 refuses connections" in report.unseen[0]
    assert not report.clean


def state(arn: str, *, region: str = "us-east-1", protect: bool = False) -> list[dict[str, Any]]:
    certificate = {"type": "aws:acm/certificate:Certificate", "outputs": {"arn": arn}, "protect": protect}
    provider = {"type": "pulumi:providers:aws", "outputs": {"region": region}}
    return [
        provider,
        certificate | {"urn": "urn:pulumi:dev::p::aws:acm/certificate:Certificate::web-certificate"},
    ]


def arn(account: str) -> str:
    return f"arn:aws:acm:us-east-1:{account}:certificate/1"


def test_a_state_of_another_account_is_not_destroyed(cloud: Callable[[str], Any], traces: Traces) -> None:
    here = cloud("sts").get_caller_identity()["Account"]
    teardown.same_place(state(arn(here)), traces.aws)
    with pytest.raises(OpsError, match="of the AWS account 000000000000, and these credentials are of"):
        teardown.same_place(state(arn("000000000000")), traces.aws)


@pytest.mark.parametrize(
    "resource",
    [
        {"type": "aws:route53/zone:Zone", "id": "ZELSEWHERE"},
        {"type": "aws:s3/bucket:Bucket", "id": "clusters.elsewhere"},
    ],
)
def test_a_half_destroyed_state_that_names_no_account_is_not_destroyed_where_its_rest_is_not(
    traces: Traces, resource: dict[str, Any]
) -> None:
    with pytest.raises(OpsError, match=f"{resource['id']}.*not to be seen in the AWS account"):
        teardown.same_place([resource], traces.aws)


def test_a_half_destroyed_state_is_destroyed_where_its_rest_is(cloud: Callable[[str], Any], traces: Traces) -> None:
    id = zone(cloud, DOMAIN)
    cloud("s3").create_bucket(Bucket=traces.bucket)
    state = [{"type": "aws:route53/zone:Zone", "id": id}, {"type": "aws:s3/bucket:Bucket", "id": traces.bucket}]
    teardown.same_place(state, traces.aws)


@pytest.mark.timeout(120)  # as above
def test_a_look_that_aws_refuses_is_not_taken_for_one_that_found_nothing(
    traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.post(f"{traces.aws.endpoint}/moto-api/reset-auth", data="0", timeout=5).raise_for_status()
    try:
        report = audit.audit(traces)
    finally:
        requests.post(f"{traces.aws.endpoint}/moto-api/reset-auth", data="inf", timeout=5).raise_for_status()
    assert report.left == []
    assert len(report.unseen) >= len(leftovers.LOOKS) - 1  # a cluster is not asked
    assert not report.clean


def test_a_state_of_another_region_is_not_destroyed(traces: Traces) -> None:
    with pytest.raises(OpsError, match="of the region eu-west-1"):
        teardown.same_place(state(arn("000000000000"), region="eu-west-1"), traces.aws)


def test_a_protected_stack_is_refused_before_anything_is_deleted() -> None:
    with pytest.raises(OpsError, match=r"protected \(web-certificate\)"):
        teardown.unprotected(state(arn("000000000000"), protect=True), "dev")


@pytest.mark.parametrize("given", ["", "prod", "Dev"])
def test_only_the_stacks_own_name_confirms(given: str) -> None:
    with pytest.raises(OpsError, match="Nothing was destroyed"):
        teardown.confirmed("dev", given)


def test_what_will_be_lost_is_counted_where_it_is(cloud: Callable[[str], Any], traces: Traces) -> None:
    id = zone(cloud, DOMAIN)
    record(cloud, id, f"old.{DOMAIN}", "A", "192.0.2.7")
    s3 = cloud("s3")
    s3.create_bucket(Bucket=traces.bucket)
    s3.put_bucket_versioning(Bucket=traces.bucket, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"one", b"two"):
        s3.put_object(Bucket=traces.bucket, Key="config", Body=body)
    resources = [{"type": "aws:s3/bucket:Bucket"}, {"type": "aws:route53/zone:Zone", "id": id}]
    said = "\n".join(teardown.losses(resources, traces))
    assert "1 objects, 2 versions" in said
    assert f"1 records (old.{DOMAIN} A)" in said


def test_a_state_bucket_that_is_gone_does_not_hide_what_else_is_lost(traces: Traces) -> None:
    said = "\n".join(teardown.losses([{"type": "aws:s3/bucket:Bucket"}, {"type": SECRET}], traces))
    assert "gone already" in said
    assert "1 Secret" in said


def test_the_report_fails_the_command_when_something_is_left(capsys: pytest.CaptureFixture[str]) -> None:
    found = Left(what="hosted zone dev.example.com (Z1)", remove="aws route53 delete-hosted-zone --id Z1")
    with pytest.raises(Exception, match="1") as ended:
        audit.tell(audit.Report(left=[found], unseen=[]))
    assert getattr(ended.value, "exit_code", None) == 1
    assert json.dumps(found.remove)[1:-1] in capsys.readouterr().out
