"""The edges of the graph: what is wired to what in the whole program."""

import ast
import asyncio
import base64
import contextlib
import dataclasses
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pulumi
import pytest
import yaml
from ejemplo import environment as variables

from infra import drivers
from infra.certificate import usable
from infra.cluster.existing.cluster import KubeconfigError
from infra.image import TagTakenError
from infra.settings import schema
from infra.settings.stack import Settings
from infra.stacks import StackOutputError
from tests.example import (
    AWS_SECRET,
    CERTIFICATE,
    DIGEST,
    ECR,
    ECR_PASSWORD,
    ELB,
    KUBECONFIG,
    MADE_KEY,
    NAME_SERVERS,
    PASSWORD,
    Inputs,
)
from tests.fast.graph import ABSENT, changed
from tests.recorder import PROJECT, ROOT, UNKNOWN, Declared, Graph, Secret, declare, plain
from tests.troubles import provoked

HOST = "ejemplo-django.dev.example.com"
TOKEN = "a-token-of-the-operators"  # not a real token


def pod(graph: Graph) -> Inputs:
    spec: Inputs = graph.one("Deployment").inputs["spec"]["template"]["spec"]
    return spec


def container(graph: Graph) -> Inputs:
    only: Inputs
    (only,) = pod(graph)["containers"]
    return only


def test_the_pods_run_the_image_by_the_digest_that_was_pushed(graph: Graph) -> None:
    assert container(graph)["image"] == DIGEST
    assert graph.one("Image").urn in graph.one("Deployment").dependencies


def test_an_image_of_before_runs_again_by_its_digest_and_nothing_is_built(config: Inputs) -> None:
    digest = f"sha256:{'0f' * 32}"
    back = declare(changed(config, {"image.digest": digest}))
    image = f"registry.example.test:5000/contraslash/ejemplo-django@{digest}"
    assert container(back)["image"] == image
    assert back.exports["image"] == image
    assert back.of("docker:index/image:Image") == []


def test_the_image_is_built_as_the_settings_say_and_pushed_under_its_tag(config: Inputs) -> None:
    build = {"image.tag": "v7", "image.target": "build", "image.args": {"VERSION": "7"}}
    image = declare(changed(config, build)).one("Image").inputs
    assert image["imageName"] == "registry.example.test:5000/contraslash/ejemplo-django:v7"
    assert image["build"] == {
        "context": config["image"]["context"],
        "dockerfile": f"{config['image']['context']}/Dockerfile",
        "platform": "linux/amd64",
        "target": "build",
        "args": {"VERSION": "7"},
    }
    assert image["registry"] == {
        "server": "registry.example.test:5000",
        "username": "ci",
        "password": Secret(PASSWORD),
    }


def test_what_another_stack_runs_is_run_by_its_digest_and_nothing_is_built(config: Inputs) -> None:
    promoted = declare(changed(config, {"image.digestFrom": f"organization/{PROJECT}/prod#image"}), preview=True)
    assert promoted.exports["image"] == DIGEST
    assert promoted.of("docker:index/image:Image") == []


@pytest.mark.parametrize("output", ["misspelt", "url"])
def test_an_output_without_a_digest_is_refused_by_the_key(config: Inputs, output: str) -> None:
    with pytest.raises(StackOutputError, match=rf"image\.digestFrom: .*{output}"):
        declare(changed(config, {"image.digestFrom": f"organization/{PROJECT}/prod#{output}"}))


def test_the_pods_go_to_nodes_of_the_images_platform(config: Inputs) -> None:
    graph = declare(changed(config, {"image.platform": "linux/arm64"}))
    assert pod(graph)["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}


def test_the_pods_pull_with_the_login_of_the_registry(graph: Graph) -> None:
    secret = graph.one("core/v1:Secret", type="kubernetes.io/dockerconfigjson")
    assert pod(graph)["imagePullSecrets"] == [{"name": "regcred"}]
    assert secret.urn in graph.one("Deployment").dependencies
    login = json.loads(plain(secret.inputs)["stringData"][".dockerconfigjson"])
    assert login == {
        "auths": {
            "registry.example.test:5000": {
                "username": "ci",
                "password": PASSWORD,
                "email": "ci@example.test",
                "auth": base64.b64encode(f"ci:{PASSWORD}".encode()).decode(),
            }
        }
    }


@pytest.fixture
def ecr(config: Inputs) -> Inputs:
    return config | {"registry": {"driver": "ecr"}}


def test_an_image_in_ecr_is_pushed_with_the_password_of_the_run(ecr: Inputs) -> None:
    graph = declare(ecr)
    repository, image = graph.one("Repository"), graph.one("Image")
    assert repository.inputs["name"] == "contraslash/ejemplo-django"
    assert image.inputs["imageName"] == f"{ECR}/contraslash/ejemplo-django:v1"
    assert image.inputs["registry"] == {"server": ECR, "username": "AWS", "password": Secret(ECR_PASSWORD)}
    assert repository.urn in image.dependencies


def test_from_ecr_the_nodes_pull_without_a_secret(ecr: Inputs) -> None:
    graph = declare(ecr)
    assert pod(graph)["imagePullSecrets"] == []
    assert [each for each in graph.of("core/v1:Secret") if "dockerconfigjson" in each.inputs.get("type", "")] == []
    assert graph.exports["pullSecret"] == ""


@pytest.mark.parametrize("tag", ["v0", "v1"])
def test_a_build_is_refused_under_a_tag_that_ecr_has_given_away(ecr: Inputs, tag: str) -> None:
    (hook,) = (each for each in declare(changed(ecr, {"image.tag": tag})).hooks if each.name == "app-tag")
    called = hook(pulumi.ResourceHookArgs(urn="", id="", name="", type=""))
    assert inspect.isawaitable(called)
    refused = pytest.raises(TagTakenError, match=r"its tag v0 .* sha256:0+\. Set image.tag")
    with refused if tag == "v0" else contextlib.nullcontext() as failed:
        asyncio.run(called)  # type: ignore[arg-type]  # it is a coroutine
    if failed:
        provoked("its tag … is taken", str(failed.value))


def test_the_first_preview_with_ecr_declares_what_its_up_declares(ecr: Inputs) -> None:
    up, preview = declare(ecr), declare(ecr, preview=True)
    assert sorted(each.urn for each in preview.declared) == sorted(each.urn for each in up.declared)
    assert not [each for each in preview.invoked if each.type.startswith("aws:ecr/")], "there is no repository yet"
    assert (preview.exports["image"], preview.exports["pullSecret"]) == (UNKNOWN, "")


def test_an_image_of_before_runs_again_from_ecr(ecr: Inputs) -> None:
    digest = f"sha256:{'0f' * 32}"
    back = declare(changed(ecr, {"image.digest": digest}))
    assert container(back)["image"] == f"{ECR}/contraslash/ejemplo-django@{digest}"
    assert back.of("docker:index/image:Image") == []


def test_the_pods_have_their_variables_the_secret_ones_by_a_secret_of_no_fixed_name(config: Inputs) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-1b2c3d"
    more = {
        "app.secrets": {"TOKEN": TOKEN},
        "app.awsSecrets": {"FROM_AWS": arn},
        "app.fromStacks": {"OTHER": "organization/other/prod#url"},
    }
    graph = declare(changed(config, more), encrypted=("app",))
    secret = graph.one("core/v1:Secret", immutable=True)
    assert plain(secret.inputs)["stringData"] == {
        "TOKEN": TOKEN,
        "SECRET_KEY": MADE_KEY,
        "FROM_AWS": AWS_SECRET,
        "OTHER": "https://other.example.com",
    }
    assert "name" not in secret.inputs.get("metadata", {}), "a fixed name could not roll"
    given = {each["name"]: each for each in container(graph)["env"]}
    for name in ("TOKEN", "SECRET_KEY", "FROM_AWS", "OTHER"):
        assert given[name]["valueFrom"]["secretKeyRef"] == {"name": "ejemplo-django-secrets-0a1b2c3d", "key": name}
    assert secret.urn in graph.one("Deployment").dependencies
    assert environment(graph) == config["app"]["env"]


def test_an_app_without_secrets_has_no_secret(config: Inputs) -> None:
    graph = declare(changed(config, {"app.randomSecrets": ABSENT}))
    assert [each for each in graph.of("core/v1:Secret") if each.inputs.get("immutable")] == []


@pytest.mark.parametrize("preview", [False, True])
def test_a_secret_of_awss_is_read_in_no_preview(config: Inputs, preview: bool) -> None:
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:a-1b2c3d"
    graph = declare(changed(config, {"app.awsSecrets": {"A": arn}}), preview=preview)
    assert graph.one("AwsSecret").inputs["look"] is not preview


def test_an_output_that_another_stack_has_not_is_refused_by_its_key(config: Inputs) -> None:
    with pytest.raises(pulumi.RunError, match=r"^app\.fromStacks\.A: "):
        declare(changed(config, {"app.fromStacks": {"A": "organization/other/prod#none"}}))


PARTS = {
    "app.release": {"command": ["migrate"]},
    "app.processes": {"worker": {"command": ["work"], "count": 3, "resources": {"memory": "1Gi"}}},
    "app.schedules": {"cleanup": {"command": ["clean"], "cron": "0 3 * * *"}},
    "app.scale": {"min": 2, "max": 5, "cpu": 60},
}


def test_every_pod_has_the_image_and_the_variables_of_the_app(config: Inputs) -> None:
    graph = declare(changed(config, PARTS))
    worker = deployment(graph, "ejemplo-django-worker").inputs["spec"]["template"]
    schedule = graph.one("CronJob").inputs["spec"]["jobTemplate"]["spec"]["template"]
    release = graph.one("Job").inputs["spec"]["template"]
    web = deployment(graph, "ejemplo-django").inputs["spec"]["template"]
    (own,) = web["spec"]["containers"]
    for template, command in ((worker, ["work"]), (schedule, ["clean"]), (release, ["migrate"])):
        (found,) = template["spec"]["containers"]
        assert found["args"] == command
        assert {key: found[key] for key in ("image", "env", "securityContext")} == {
            key: own[key] for key in ("image", "env", "securityContext")
        }
        assert template["metadata"]["labels"] != web["metadata"]["labels"], "it would be sent requests"


def deployment(graph: Graph, name: str) -> Declared:
    [found] = [each for each in graph.of("Deployment") if each.inputs["metadata"]["name"] == name]
    return found


def test_nothing_of_the_app_changes_before_its_release_has_ended(config: Inputs) -> None:
    graph = declare(changed(config, PARTS))
    job = graph.one("Job").urn
    # The children of a component wait for what it depends on.
    waiting = [each for each in graph.declared if each.type.split(":")[-1] in ("Web", "Processes", "Schedules")]
    assert len(waiting) == 3
    assert all(job in each.dependencies for each in waiting)


def test_an_autoscaler_alone_says_how_many_pods_there_are(config: Inputs) -> None:
    graph = declare(changed(config, PARTS))
    scaler = graph.one("HorizontalPodAutoscaler").inputs["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 5)
    assert scaler["scaleTargetRef"]["name"] == "ejemplo-django"
    assert deployment(graph, "ejemplo-django").ignored == ("spec.replicas",)
    assert deployment(graph, "ejemplo-django-worker").ignored == ()


def test_what_kubernetes_would_take_for_a_variable_reaches_the_app_as_it_is(config: Inputs) -> None:
    graph = declare(changed(config, {"app.env": {"PRICE": "$(A) $1"}, "app.command": ["echo", "$(A)"]}))
    # Kubernetes turns two $ into one.
    assert environment(graph)["PRICE"].replace("$$", "$") == "$(A) $1"
    assert container(graph)["args"] == ["echo", "$$(A)"]


def test_a_low_port_needs_no_root(config: Inputs) -> None:
    security = pod(declare(changed(config, {"app.port": 80})))["securityContext"]
    assert security["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert security["runAsNonRoot"] is True


def test_without_a_path_the_probes_are_content_with_a_connection(config: Inputs) -> None:
    graph = declare(changed(config, {"app.health": {"startSeconds": 90}}))
    for each in ("startup", "readiness", "liveness"):
        assert container(graph)[f"{each}Probe"]["tcpSocket"] == {"port": "ed-port"}
    probe = container(graph)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == 90


def test_the_service_leads_from_80_and_443_to_the_port_of_the_pods(graph: Graph) -> None:
    service = graph.one("Service").inputs["spec"]
    assert {(each["name"], each["port"], each["targetPort"]) for each in service["ports"]} == {
        ("http", 80, "ed-port"),
        ("https", 443, "ed-port"),
    }
    assert container(graph)["ports"] == [{"name": "ed-port", "containerPort": 8000}]
    template = graph.one("Deployment").inputs["spec"]["template"]
    assert service["selector"].items() <= template["metadata"]["labels"].items()


def test_the_service_comes_after_the_pods_and_goes_before_them(graph: Graph) -> None:
    assert graph.one("Deployment").urn in graph.one("Service").dependencies


def test_the_balancer_has_the_certificate_once_it_is_issued(graph: Graph) -> None:
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"
    service = graph.one("Service")
    assert for_aws(service.inputs) == {
        f"{prefix}backend-protocol": "http",
        f"{prefix}ssl-cert": CERTIFICATE,
        f"{prefix}ssl-ports": "https",
    }
    assert graph.one("CertificateValidation").urn in service.dependencies


def for_aws(service: Inputs) -> Inputs:
    """Return the annotations that AWS's controllers read."""
    annotations = service["metadata"]["annotations"]
    return {name: value for name, value in annotations.items() if "aws-load-balancer" in name}


def environment(graph: Graph) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(graph)["env"] if "value" in each}


def test_behind_a_network_balancer_there_is_only_https_and_no_header_is_trusted(config: Inputs) -> None:
    graph = declare(changed(config, {"cluster.balancer": "nlb"}))
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"
    service = graph.one("Service").inputs
    assert for_aws(service) == {
        f"{prefix}type": "nlb",
        f"{prefix}scheme": "internet-facing",
        f"{prefix}ssl-cert": CERTIFICATE,
        f"{prefix}ssl-ports": "https",
    }
    assert [each["port"] for each in service["spec"]["ports"]] == [443]
    (target,) = graph.one("Record", type="A").inputs["aliases"]
    assert (target["name"], target["zoneId"]) == (ELB, "NLB-ZONE")


def test_without_a_balancer_of_awss_the_pods_end_tls(config: Inputs) -> None:
    graph = declare(changed(config, {"cluster.balancer": "none", "app.tlsSecret": "site-tls"}))
    service = graph.one("Service").inputs
    assert not any("aws" in name for name in service["metadata"]["annotations"])
    assert [each["port"] for each in service["spec"]["ports"]] == [443]
    (volume,) = (each for each in pod(graph)["volumes"] if each.get("secret") == {"secretName": "site-tls"})
    (mount,) = (each for each in container(graph)["volumeMounts"] if each["name"] == volume["name"])
    assert mount["mountPath"] == "/tls"
    probes = [container(graph)[f"{each}Probe"]["httpGet"] for each in ("startup", "readiness", "liveness")]
    assert [each["scheme"] for each in probes] == ["HTTPS"] * 3
    record = graph.one("Record", name=HOST).inputs
    assert (record["type"], record["records"]) == ("CNAME", [ELB])


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster.kubeconfigStack": "organization/other/prod"},
        {"cluster.kubeconfigStack": "organization/other/prod", "cluster.kubeconfigOutput": "admin"},  # an object
        {"cluster.kubeconfigStack": "organization/ejemplo-django/prod"},  # of this program
    ],
)
@pytest.mark.parametrize("preview", [False, True])
def test_the_kubeconfig_of_another_stack_is_used_and_stays_secret(
    config: Inputs, changes: Inputs, preview: bool
) -> None:
    graph = declare(changed(config, {"cluster.kubeconfigFile": ABSENT, **changes}), preview=preview)
    given = graph.one("pulumi:providers:kubernetes").inputs["kubeconfig"]
    assert isinstance(given, Secret)
    assert yaml.safe_load(given.value) == yaml.safe_load(KUBECONFIG)
    assert graph.exports["kubeconfig"] == given


@pytest.mark.parametrize(("key", "said"), [("none", "has no output none"), ("url", "cannot be used")])
def test_a_stack_without_a_kubeconfig_is_named_with_the_key(config: Inputs, key: str, said: str) -> None:
    with pytest.raises(KubeconfigError) as refused:
        declare(
            changed(
                config,
                {
                    "cluster.kubeconfigFile": ABSENT,
                    "cluster.kubeconfigStack": "organization/other/prod",
                    "cluster.kubeconfigOutput": key,
                },
            )
        )
    assert f"output {key}" in str(refused.value)
    assert "organization/other/prod" in str(refused.value)
    assert said in str(refused.value)


def test_nothing_is_made_in_a_cluster_before_it_was_found_fit(graph: Graph) -> None:
    checked = graph.one("ClusterAccess")
    assert checked.inputs["kubeconfig"] == Secret(KUBECONFIG.rstrip("\n"))
    assert checked.urn in graph.one("pulumi:providers:kubernetes").dependencies


@pytest.mark.parametrize("hosts", [[HOST], ["dev.example.com", HOST, "www.dev.example.com"]])
def test_the_certificate_is_for_every_host_and_each_is_proved_in_the_zone(config: Inputs, hosts: list[str]) -> None:
    graph = declare(changed(config, {"hosts": hosts}))
    assert graph.one("Zone", name="dev.example.com")
    certificate = graph.one("Certificate").inputs
    assert (certificate["domainName"], certificate["subjectAlternativeNames"]) == (hosts[0], hosts)
    proofs = {
        each.name: (each.inputs["zoneId"], each.inputs["name"], each.inputs["records"])
        for each in graph.of("Record")
        if each.inputs["type"] == "CNAME"
    }
    assert proofs == {f"web-proof-{host}": ("ZONE", f"_proof.{host}", [f"_{host}.acm.test"]) for host in hosts}
    assert graph.one("CertificateValidation").inputs == {
        "certificateArn": CERTIFICATE,
        "validationRecordFqdns": [f"_proof.{host}" for host in hosts],
    }


@pytest.mark.parametrize("preview", [False, True])
def test_no_record_is_anothers_when_hosts_come_and_change_places(config: Inputs, preview: bool) -> None:
    def records(*hosts: str) -> dict[str, str]:
        graph = declare(changed(config, {"hosts": list(hosts)}), preview=preview)
        return {each.name: each.inputs["name"] for each in graph.of("Record")}

    before = records(HOST)
    assert before.items() < records("dev.example.com", HOST).items()
    assert records("dev.example.com", HOST) == records(HOST, "dev.example.com")


@pytest.mark.parametrize("balancer", ["classic", "none"])
def test_the_first_hosts_records_are_known_by_the_names_that_a_stack_of_one_host_may_have(
    config: Inputs, balancer: str
) -> None:
    tls = {"app.tlsSecret": "site-tls"} if balancer == "none" else {}
    graph = declare(changed(config, {"hosts": [HOST, "dev.example.com"], "cluster.balancer": balancer, **tls}))
    assert {each.name: [alias.split("::")[-1] for alias in each.aliases] for each in graph.of("Record")} == {
        f"web-proof-{HOST}": ["web-proof"],
        f"web-record-{HOST}": ["web-record"],
        "web-proof-dev.example.com": [],
        "web-record-dev.example.com": [],
    }


# What the program declared for this configuration at commit 3ebf5f9, without its Secret of the signing key: another
# name of that makes another Secret, and the pods move to it one by one.
FORMER = """
Alias$aws:route53/record:Record::web-record
Certificate$aws:acm/certificate:Certificate::web-certificate
Certificate$aws:acm/certificateValidation:CertificateValidation::web-issued
Certificate$aws:route53/record:Record::web-proof
ClusterAccess$pulumi-python:dynamic/ejemplo-django:ClusterAccess::cluster-access
Delegation$pulumi-python:dynamic/ejemplo-django:DelegationSeen::zone-seen
Image$docker:index/image:Image::app-image
LoadBalancer$kubernetes:core/v1:Service::web-service
RegistrySecret$kubernetes:core/v1:Secret::regcred-secret
SecretKey$pulumi-python:dynamic/ejemplo-django:RandomKey::ejemplo-django-key-random
StateBucket$aws:s3/bucket:Bucket::state-bucket
StateBucket$aws:s3/bucketOwnershipControls:BucketOwnershipControls::state-owned
StateBucket$aws:s3/bucketPolicy:BucketPolicy::state-tls-only
StateBucket$aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock::state-private
StateBucket$aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration::state-encrypted
StateBucket$aws:s3/bucketVersioning:BucketVersioning::state-versioned
Workload$kubernetes:apps/v1:Deployment::web-deployment
Workload$kubernetes:policy/v1:PodDisruptionBudget::web-budget
Zone$aws:route53/zone:Zone::zone-zone
"""


def test_an_older_stack_keeps_all_that_it_has(graph: Graph) -> None:
    known = {name.partition(":infra:")[2] for each in graph.resources for name in (each.urn, *each.aliases)}
    assert set(FORMER.split()) - known == set()


@pytest.mark.parametrize(("zone", "id_"), [({}, "FOUND"), ({"id": "Z0123456789"}, "Z0123456789")])
@pytest.mark.parametrize("preview", [False, True])
def test_a_zone_that_is_there_is_read_and_none_is_made(config: Inputs, zone: Inputs, id_: str, preview: bool) -> None:
    changes = {"domain": "example.com", "hosts": ["example.com"], "zone": {"existing": True, **zone}}
    graph = declare(changed(config, changes), preview=preview)
    assert graph.read == [id_]
    assert graph.of("Zone") == []
    assert (graph.exports["zoneId"], graph.exports["nameServers"]) == (id_, NAME_SERVERS)
    assert graph.one("DelegationSeen").inputs["zone"] == id_


def test_what_waits_for_the_world_takes_the_zone_from_the_delegation(graph: Graph) -> None:
    seen = graph.one("DelegationSeen")
    assert seen.inputs["zone"] == "ZONE"
    assert (seen.inputs["domain"], seen.inputs["servers"]) == ("dev.example.com", NAME_SERVERS)
    assert seen.inputs["hosts"] == [HOST]
    assert seen.urn in graph.one("Record", type="CNAME").sources["zoneId"]
    assert graph.of("Record") == [graph.one("Record", type="CNAME"), graph.one("Record", type="A")]


def test_no_cluster_is_begun_before_the_delegation_was_seen(graph: Graph) -> None:
    # A failed update waits for what it has started, and a cluster takes a quarter of an hour.
    [component] = [each for each in graph.declared if each.type.endswith(":ExistingCluster")]
    assert graph.one("DelegationSeen").urn in component.dependencies


@pytest.mark.parametrize("parent", ["example.com", "Z0123456789ABCDEFGHIJ"])
def test_a_parent_zone_of_ours_gets_the_record_before_it_is_looked_for(config: Inputs, parent: str) -> None:
    graph = declare(changed(config, {"delegation.parentZone": parent, "delegation.resolver": "192.0.2.53"}))
    record, seen = graph.one("Record", type="NS"), graph.one("DelegationSeen")
    assert (record.inputs["zoneId"], record.inputs["name"]) == (
        ("FOUND" if parent.islower() else parent),
        "dev.example.com",
    )
    assert record.inputs["records"] == NAME_SERVERS
    assert record.urn in seen.dependencies
    assert seen.inputs["resolver"] == "192.0.2.53"
    (asked,) = [each.inputs for each in graph.invoked if each.type.endswith(":getZone")]
    by_name = {"name": parent, "privateZone": False}
    assert asked == (by_name if parent == "example.com" else {"zoneId": parent})


def test_a_certificate_that_is_given_is_read_and_none_is_made(config: Inputs) -> None:
    arn = "arn:aws:acm:us-east-1:000000000000:certificate/given"
    graph = declare(changed(config, {"certificateArn": arn}))
    assert graph.read == [arn]
    assert not [each for each in graph.resources if each.type.startswith("aws:acm/")]
    assert graph.of("Record") == [graph.one("Record", type="A")]
    annotations = graph.one("Service").inputs["metadata"]["annotations"]
    assert annotations["service.beta.kubernetes.io/aws-load-balancer-ssl-cert"] == arn
    assert graph.exports["certificateArn"] == arn
    # No CAA record can block a certificate that is already issued.
    assert graph.one("DelegationSeen").inputs["hosts"] == []


@pytest.mark.parametrize("names", [[HOST, "dev.example.com"], ["dev.example.com", "*.dev.example.com"]])
def test_a_certificate_is_good_for_its_names_and_one_label_in_place_of_a_star(names: list[str]) -> None:
    assert usable(CERTIFICATE, hosts=[HOST, "dev.example.com"], status="ISSUED", names=names) == CERTIFICATE


@pytest.mark.parametrize(
    ("status", "names", "said"),
    [
        ("EXPIRED", [HOST], "found a certificate that is EXPIRED, expected one that is ISSUED"),
        (
            "ISSUED",
            ["www.example.org"],
            f"found a certificate for www.example.org, expected one for {HOST}, dev.example.com",
        ),
        ("ISSUED", ["*.example.com"], f"expected one for {HOST}"),
        ("ISSUED", ["*.dev.example.com"], "expected one for dev.example.com"),
    ],
)
def test_a_certificate_that_no_visitor_would_take_is_refused_by_its_key(
    status: str, names: list[str], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match=f"^certificateArn: .*{re.escape(said)}") as failed:
        usable(CERTIFICATE, hosts=[HOST, "dev.example.com"], status=status, names=names)
    if status == "EXPIRED":
        provoked("certificateArn: found a certificate that is …, expected one that is ISSUED", str(failed.value))


def test_every_host_leads_to_the_balancer_and_the_first_is_the_sites_own(config: Inputs) -> None:
    hosts = ["dev.example.com", "www.dev.example.com"]
    graph = declare(changed(config, {"hosts": hosts}))
    for host in hosts:
        alias = graph.one("Record", type="A", name=host).inputs
        assert alias["zoneId"] == "ZONE"
        (target,) = alias["aliases"]
        assert (target["name"], target["zoneId"]) == (ELB, "ELB-ZONE")
    assert graph.exports["url"] == "https://dev.example.com/"


def test_a_namespace_is_made_before_all_that_lives_in_it(config: Inputs) -> None:
    graph = declare(changed(config, {"namespace.name": "shop"}))
    namespace = graph.one("Namespace")
    assert namespace.inputs["metadata"]["name"] == "shop"
    # A component declares each of them. It depends on the namespace, so they wait for it too.
    inside = [each for each in graph.resources if each.type.startswith("kubernetes:") and each != namespace]
    components = [each for each in graph.declared if each.urn in {resource.parent for resource in inside}]
    assert len(components) > 3
    assert [each.name for each in components if namespace.urn not in each.dependencies] == []
    assert graph.one("pulumi:providers:kubernetes").inputs["namespace"] == "shop"
    assert graph.exports["namespace"] == "shop"


def test_a_namespace_that_is_there_is_not_made(config: Inputs) -> None:
    graph = declare(changed(config, {"namespace": {"name": "shop", "existing": True}}))
    assert graph.of("Namespace") == []
    assert graph.exports["namespace"] == "shop"


@pytest.mark.parametrize("preview", [False, True])
def test_everything_in_aws_and_in_the_cluster_is_on_the_providers_of_the_program(config: Inputs, preview: bool) -> None:
    graph = declare(config, preview=preview)
    for package in ("aws", "kubernetes"):
        provider = graph.one(f"pulumi:providers:{package}")
        asked = [each for each in graph.resources + graph.invoked if each.type.startswith(f"{package}:")]
        assert asked
        assert {each.provider.rpartition("::")[0] for each in asked} == {provider.urn}


def test_every_resource_belongs_to_a_component(graph: Graph) -> None:
    components = {each.urn for each in graph.declared if each.type.startswith("ejemplo-django:infra:")}
    loose = [each for each in graph.resources if each.parent not in components]
    assert [each for each in loose if not each.type.startswith("pulumi:providers:")] == []


def test_a_preview_declares_what_an_up_declares(config: Inputs) -> None:
    up, preview = declare(config), declare(config, preview=True)
    assert sorted(each.urn for each in preview.declared) == sorted(each.urn for each in up.declared)
    assert preview.exports.keys() == up.exports.keys()
    assert preview.exports["hostname"] == UNKNOWN
    # What does not depend on the cloud is known.
    assert preview.exports["clusterName"] == "useast1.dev.example.com"
    assert preview.exports["stateStore"] == "s3://clusters.dev.example.com"


def test_the_cluster_keeps_its_identity_whatever_its_kubeconfig(config: Inputs) -> None:
    other = changed(config, {"cluster.kubeconfigFile": None} | {"cluster.kubeconfig": KUBECONFIG.replace("6443", "1")})
    del other["cluster"]["kubeconfigFile"]
    providers = [
        graph.one("pulumi:providers:kubernetes").inputs
        for graph in (declare(config), declare(other, encrypted=("cluster",)))
    ]
    assert providers[0]["kubeconfig"] != providers[1]["kubeconfig"]
    assert {each["clusterIdentifier"] for each in providers} == {"useast1.dev.example.com"}


def test_a_new_password_changes_the_pull_secret_in_place(graph: Graph) -> None:
    assert graph.one("pulumi:providers:kubernetes").inputs["enableSecretMutable"] == "true"


def test_an_endpoint_speaks_for_every_service_that_the_program_uses(config: Inputs) -> None:
    url = "http://127.0.0.1:4566"
    graph = declare(changed(config, {"aws.endpoint": url, "registry": {"driver": "ecr"}}))
    given = graph.one("pulumi:providers:aws").inputs
    (endpoints,) = json.loads(given["endpoints"])
    used = {each.type.split(":")[1].split("/")[0] for each in graph.declared if each.type.startswith("aws:")}
    assert used | {"elb", "sts"} <= endpoints.keys()
    assert set(endpoints.values()) == {url}
    skipped = (
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRequestingAccountId",
        "s3UsePathStyle",
    )
    assert [given.get(each) for each in skipped] == ["true"] * 4


def test_without_an_endpoint_the_provider_is_left_to_aws(graph: Graph) -> None:
    given = graph.one("pulumi:providers:aws").inputs
    assert given["region"] == "us-east-1"
    assert json.loads(given["defaultTags"]) == {"tags": {"project": "ejemplo-django"}}
    assert not {"endpoints", "s3UsePathStyle", "skipRequestingAccountId"} & given.keys()


def test_there_is_a_driver_for_every_word_that_the_configuration_takes() -> None:
    described = schema.of(Settings)["properties"]
    assert drivers.DRIVERS.keys() == schema.variants(described["cluster"]).keys()


DRIVERS = tuple(drivers.DRIVERS)


def module_of(path: str) -> str:
    """Return the name of the module in a file of infra/."""
    return "infra." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(source: str) -> set[str]:
    """Return the full names of this repository's modules that a source imports."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module="infra", names=names):
                modules |= {f"infra.{each.name}" for each in names}
            case ast.ImportFrom(module=str(module)):
                modules.add(module)
            case ast.Import(names=names):
                modules |= {each.name for each in names}
    return {each for each in modules if each.split(".")[0] in ("contract", "infra", "sandbox", "app", "ejemplo")}


def test_the_nouns_know_nothing_of_each_other_nor_of_the_sandbox() -> None:
    files = {each.relative_to(ROOT / "infra").as_posix(): each for each in (ROOT / "infra").rglob("*.py")}
    found = {name: imported(file.read_text()) for name, file in files.items()}
    every = {module_of(name) for name in found}
    settings = {each for each in every if each.startswith("infra.settings")}
    shared = {"infra.balancer_kind", "infra.ownership", "infra.threads", *settings} - {"infra.settings.stack"}
    guard = {"infra.guards", "infra.guards.foreign"}
    allowed = {
        "config.py": {"infra.settings", *settings},
        "delegation.py": {*shared, "infra.hosted_zones", "infra.lookup", "contract"},
        "zone.py": {*shared, "infra", "infra.hosted_zones"},
        "hosted_zones.py": {*shared, "infra.aws_client"},
        "guards/foreign.py": {"infra.guards", "infra.guards.own_state"},
        "guards/own_state.py": {"infra", "infra.threads"},
        "guards/foreign_in_aws.py": {
            *shared,
            *guard,
            "infra.aws_client",
            "infra.hosted_zones",
            "infra.guards.marked_in_aws",
        },
        "guards/foreign_in_cluster.py": {
            *shared,
            *guard,
            "infra.guards.marked_in_cluster",
            "infra.kubectl",
        },
        "guards/marked_in_aws.py": {*shared, "infra"},
        "guards/marked_in_cluster.py": {*shared, "infra.kubectl"},
        "guards/interrupted.py": {"infra.guards", "infra.guards.own_state"},
        "lookup.py": {"infra.resolving"},
        "finding.py": set(),
        "providers.py": {*shared, "infra.access", *(each for each in every if each.startswith("infra.guards"))},
        "access.py": {*shared, "infra.finding", "infra.fitness"},
        "fitness.py": {*shared, "infra.finding", "infra.kubectl"},
        "kubectl.py": {"infra.kubeconfigs"},
        "kubeconfigs.py": set(),
        "app/environment.py": {*shared, "infra.stacks", "infra.key", "infra.app.aws_secret", "infra.app.pod"},
        "app/aws_secret.py": {*shared, "infra.aws_client"},
        "app/release.py": {*shared, "infra.kubectl", "infra.app.pod"},
        **{f"app/{each}.py": {*shared, "infra.app.pod"} for each in ("web", "processes", "schedules")},
        "balancer_kind.py": set(),
        "dockerfile.py": set(),
        "context.py": {"infra.dockerfile"},
        "image.py": {"infra.settings", *shared, "infra", "infra.context", "infra.stacks", "infra.pushed"},
        "pushed.py": {"infra.docker_login"},
        "registry.py": {*shared, "infra.docker_login", "infra.pushed"},
        "stacks.py": set(),
        "ownership.py": set(),
    }
    kubeconfigs = {"infra.kubeconfigs", "infra.kubectl"}
    for name in found:
        if name.startswith("cluster/"):
            own = "infra.cluster." + Path(name).parts[1]
            allowed[name] = {*shared, "contract", *kubeconfigs, *(each for each in every if each.startswith(f"{own}."))}
            allowed[name] |= {own} | {each.rpartition(".")[0] for each in allowed[name]}
        if name.startswith("settings/"):
            allowed[name] = {"infra.settings", "infra.balancer_kind", *settings}
    allowed["settings/image.py"].add("infra.dockerfile")
    allowed["settings/stack.py"].add("infra.context")
    # All drivers are in one table, and their settings in one model.
    allowed["drivers.py"] = {*shared, "infra.guards.identity", "infra.settings.stack"}
    allowed["drivers.py"] |= {f"infra.cluster.{each}.cluster" for each in DRIVERS}
    allowed["settings/stack.py"] |= {f"infra.cluster.{each}.settings" for each in DRIVERS}
    foreign = {name: modules - allowed.get(name, {"infra.settings", *shared}) for name, modules in found.items()}
    assert not any(foreign.values()), foreign


def test_no_part_but_the_app_has_a_name_of_the_sample() -> None:
    read = {each.name.upper() for each in dataclasses.fields(variables.Environment)}
    names = {*read, "gunicorn", "contraslash"}
    # The key that has moved is still known by the name that the program gave it.
    but = ROOT / "infra" / "settings" / "keys.py"
    for part in ("contract", "infra", "ops", "sandbox"):
        for file in {*(ROOT / part).rglob("*.py")} - {but}:
            found = names & {word for text in strings(file.read_text()) for word in re.findall(r"\w+", text)}
            assert not found, (file, found)


def strings(source: str) -> set[str]:
    """Return the strings in a source except docstrings, which may give an example."""
    nodes = [*ast.walk(ast.parse(source))]
    documents = {id(each.value) for each in nodes if isinstance(each, ast.Expr)}
    constants = (each for each in nodes if isinstance(each, ast.Constant) and id(each) not in documents)
    return {each.value for each in constants if isinstance(each.value, str)}


def test_nothing_but_config_reads_the_configuration_and_no_settings_need_pulumi() -> None:
    for file in (ROOT / "infra").rglob("*.py"):
        source = file.read_text()
        if file != ROOT / "infra" / "config.py":
            assert not re.search(r"pulumi\.Config\(|pulumi\.runtime\.config\b", source), file
    names = ["infra.settings.stack", "infra.settings.page", *(f"infra.cluster.{each}.settings" for each in DRIVERS)]
    program = f"import sys, {', '.join(names)}; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_the_wiring_file_only_wires() -> None:
    source = (ROOT / "__main__.py").read_text()
    decisions = (
        ast.If,
        ast.IfExp,
        ast.For,
        ast.While,
        ast.Try,
        ast.comprehension,
        ast.FunctionDef,
        ast.Lambda,
    )
    assert [type(node).__name__ for node in ast.walk(ast.parse(source)) if isinstance(node, decisions)] == []
    assert len(source.splitlines()) < 80
