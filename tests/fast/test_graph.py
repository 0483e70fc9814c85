"""The edges: what is wired to what, in the whole program."""

import ast
import asyncio
import base64
import contextlib
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pulumi
import pytest
import yaml

from infra import drivers
from infra.certificate import usable
from infra.cluster.existing.cluster import KubeconfigError
from infra.image import TagTakenError
from infra.settings import schema
from infra.settings.stack import Settings
from tests.fast.graph import (
    ABSENT,
    CERTIFICATE,
    DIGEST,
    ECR,
    ECR_PASSWORD,
    ELB,
    KUBECONFIG,
    MADE_KEY,
    NAME_SERVERS,
    PASSWORD,
    ROOT,
    UNKNOWN,
    Declared,
    Graph,
    Inputs,
    Secret,
    changed,
    declare,
    plain,
)

HOST = "ejemplo-django.dev.example.com"


def pod(graph: Graph) -> Inputs:
    spec: Inputs = graph.one("Deployment").inputs["spec"]["template"]["spec"]
    return spec


def container(graph: Graph) -> Inputs:
    only: Inputs
    (only,) = pod(graph)["containers"]
    return only


def key_secret(graph: Graph) -> Declared:
    return graph.one("core/v1:Secret", immutable=True)


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


def test_the_image_is_built_from_the_context_and_pushed_under_its_tag(config: Inputs) -> None:
    image = declare(changed(config, {"image.tag": "v7", "image.base": "python:3.12-slim"})).one("Image").inputs
    assert image["imageName"] == "registry.example.test:5000/contraslash/ejemplo-django:v7"
    assert image["build"] == {
        "context": config["image"]["context"],
        "platform": "linux/amd64",
        "args": {"BASE_IMAGE": "python:3.12-slim"},
    }
    assert image["registry"] == {
        "server": "registry.example.test:5000",
        "username": "ci",
        "password": Secret(PASSWORD),
    }


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
    (hook,) = declare(changed(ecr, {"image.tag": tag})).hooks
    called = hook(pulumi.ResourceHookArgs(urn="", id="", name="", type=""))
    assert inspect.isawaitable(called)
    refused = pytest.raises(TagTakenError, match=r"its tag v0 .* sha256:0+\. Set image.tag")
    with refused if tag == "v0" else contextlib.nullcontext():
        asyncio.run(called)  # type: ignore[arg-type]  # it is a coroutine


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


def test_the_pods_sign_with_the_key_that_was_made(graph: Graph) -> None:
    secret = key_secret(graph)
    assert plain(secret.inputs)["stringData"] == {"SECRET_KEY": MADE_KEY}
    assert "name" not in secret.inputs.get("metadata", {}), "a fixed name could not roll"
    given = {each["name"]: each for each in container(graph)["env"]}
    assert given["SECRET_KEY"]["valueFrom"]["secretKeyRef"] == {
        "name": "ejemplo-django-key-0a1b2c3d",
        "key": "SECRET_KEY",
    }
    assert secret.urn in graph.one("Deployment").dependencies


def test_a_key_in_the_configuration_takes_the_place_of_the_one_that_is_made(config: Inputs) -> None:
    key = "a-key-of-the-operator-0123456789-0123456789-0123456789"
    graph = declare(changed(config, {"app.secretKey": key}), encrypted=("app",))
    assert plain(key_secret(graph).inputs)["stringData"] == {"SECRET_KEY": key}
    assert not graph.of("RandomKey")


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
    """The annotations that AWS's controllers read."""
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
    given = environment(graph)
    assert given["ONLY_HTTPS"] == "True"
    assert "BEHIND_TLS_BALANCER" not in given


def test_without_a_balancer_of_awss_the_pods_end_tls(config: Inputs) -> None:
    graph = declare(changed(config, {"cluster.balancer": "none", "app.tlsSecret": "site-tls"}))
    service = graph.one("Service").inputs
    assert not any("aws" in name for name in service["metadata"]["annotations"])
    assert [each["port"] for each in service["spec"]["ports"]] == [443]
    (volume,) = (each for each in pod(graph)["volumes"] if each.get("secret") == {"secretName": "site-tls"})
    (mount,) = (each for each in container(graph)["volumeMounts"] if each["name"] == volume["name"])
    given = environment(graph)
    assert given["TLS_FOLDER"] == mount["mountPath"]
    assert not {"BEHIND_TLS_BALANCER", "ONLY_HTTPS"} & given.keys()
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


def test_the_certificate_is_the_hosts_and_is_proved_in_the_zone(graph: Graph) -> None:
    assert graph.one("Zone", name="dev.example.com")
    assert graph.one("Certificate").inputs["domainName"] == HOST
    proof = graph.one("Record", type="CNAME").inputs
    assert (proof["zoneId"], proof["name"], proof["records"]) == (
        "ZONE",
        f"_proof.{HOST}",
        ["_proof.acm.test"],
    )
    assert graph.one("CertificateValidation").inputs == {
        "certificateArn": CERTIFICATE,
        "validationRecordFqdns": [f"_proof.{HOST}"],
    }


def test_what_waits_for_the_world_takes_the_zone_from_the_delegation(graph: Graph) -> None:
    seen = graph.one("DelegationSeen")
    assert seen.inputs["zone"] == "ZONE"
    assert (seen.inputs["domain"], seen.inputs["servers"]) == ("dev.example.com", NAME_SERVERS)
    assert seen.inputs["certified"] == HOST
    assert seen.urn in graph.one("Record", type="CNAME").sources["zoneId"]
    assert graph.of("Record") == [graph.one("Record", type="CNAME"), graph.one("Record", type="A")]


def test_no_cluster_is_begun_before_the_delegation_was_seen(graph: Graph) -> None:
    # An update that fails waits for what it has begun, and a cluster takes a quarter of an hour.
    [component] = [each for each in graph.declared if each.type.endswith(":ExistingCluster")]
    assert graph.one("DelegationSeen").urn in component.dependencies


@pytest.mark.parametrize("parent", ["example.com", "Z0123456789ABCDEFGHIJ"])
def test_a_parent_zone_of_ours_gets_the_record_before_it_is_looked_for(config: Inputs, parent: str) -> None:
    graph = declare(changed(config, {"delegation.parentZone": parent, "delegation.resolver": "192.0.2.53"}))
    record, seen = graph.one("Record", type="NS"), graph.one("DelegationSeen")
    assert (record.inputs["zoneId"], record.inputs["name"]) == (
        ("PARENT" if parent.islower() else parent),
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
    # No CAA record can be against what was issued already.
    assert graph.one("DelegationSeen").inputs.get("certified") is None


@pytest.mark.parametrize("names", [[HOST], ["www.example.org", "*.dev.example.com"]])
def test_a_certificate_is_good_for_its_names_and_one_label_in_place_of_a_star(names: list[str]) -> None:
    assert usable(CERTIFICATE, host=HOST, status="ISSUED", names=names) == CERTIFICATE


@pytest.mark.parametrize(
    ("status", "names", "said"),
    [
        ("EXPIRED", [HOST], "found a certificate that is EXPIRED, expected one that is ISSUED"),
        ("ISSUED", ["www.example.org"], f"found a certificate for www.example.org, expected one for {HOST}"),
        ("ISSUED", ["*.example.com"], f"expected one for {HOST}"),
    ],
)
def test_a_certificate_that_no_visitor_would_take_is_refused_by_its_key(
    status: str, names: list[str], said: str
) -> None:
    with pytest.raises(pulumi.RunError, match=f"^certificateArn: .*{re.escape(said)}"):
        usable(CERTIFICATE, host=HOST, status=status, names=names)


@pytest.mark.parametrize("host", ["dev.example.com", "www.dev.example.com"])
def test_the_host_leads_to_the_balancer_wherever_in_the_zone_it_stands(config: Inputs, host: str) -> None:
    graph = declare(changed(config, {"host": host}))
    alias = graph.one("Record", type="A").inputs
    assert (alias["zoneId"], alias["name"]) == ("ZONE", host)
    (target,) = alias["aliases"]
    assert (target["name"], target["zoneId"]) == (ELB, "ELB-ZONE")
    assert graph.one("Certificate").inputs["domainName"] == host
    assert graph.exports["url"] == f"https://{host}/"


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
    # What needs no cloud to be known is known.
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


DRIVERS = ("eks", "existing", "kops")


def module_of(path: str) -> str:
    """The module in a file of infra/."""
    return "infra." + path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(source: str) -> set[str]:
    """The modules of this repository that a source imports, by their whole names."""
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
    shared = {"infra.balancer_kind", "infra.ownership", *settings} - {"infra.settings.stack"}
    allowed = {
        "config.py": {"infra.settings", *settings},
        "delegation.py": {*shared, "infra.lookup", "contract"},
        "lookup.py": {"infra.resolving"},
        "finding.py": set(),
        "providers.py": {*shared, "infra.access"},
        "access.py": {*shared, "infra.finding", "infra.fitness"},
        "fitness.py": {*shared, "infra.finding", "infra.kubectl"},
        "kubectl.py": {"infra.kubeconfigs"},
        "kubeconfigs.py": set(),
        "balancer_kind.py": set(),
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
    # All drivers are in one table, and their settings in one model.
    allowed["drivers.py"] = {*shared, "infra.settings.stack", *(f"infra.cluster.{each}.cluster" for each in DRIVERS)}
    allowed["settings/stack.py"] |= {f"infra.cluster.{each}.settings" for each in DRIVERS}
    foreign = {name: modules - allowed.get(name, {"infra.settings", *shared}) for name, modules in found.items()}
    assert not any(foreign.values()), foreign


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
    assert len(source.splitlines()) < 60
